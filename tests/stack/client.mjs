// The OpenAI SDK of JavaScript against Duet: node client.mjs BASE_URL PICTURE. Prints what it got as JSON.
import OpenAI from "openai";

const [baseURL, picture] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [
  { role: "user", content: [{ type: "image_url", image_url: { url: picture } }, { type: "text", text: "Read it." }] },
];

async function gather(model) {
  const stream = await client.chat.completions.create({ model, messages, max_tokens: 12, stream: true });
  const said = { content: "", reasoning_content: "" };
  for await (const chunk of stream)
    for (const field of Object.keys(said)) said[field] += chunk.choices[0]?.delta[field] ?? "";
  return said;
}

const unknown = await gather("nope").catch(({ status, code }) => ({ status, code }));
console.log(JSON.stringify({ instruct: await gather("auto"), thinking: await gather("qwen3-vl-thinking"), unknown }));
