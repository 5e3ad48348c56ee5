import { joined } from "./lib/text.js";

export default async function (run, inputs) {
  run.log("at", typeof run.now());
  const parts = await run.step("divide", {});
  const texts = [];
  for (const [nth, part] of parts.entries()) texts.push(await run.step("write", { nth, part }));
  run.document("parts", { title: inputs.topic, body: joined(parts) });
  try {
    texts.push(await run.step("post", {}, { key: "posted" }));
  } catch (error) {
    texts.push(error.class);
  }
  return { title: inputs.topic, body: joined(texts) };
}
