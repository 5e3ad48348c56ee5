// @ts-check
/**
 * `await` is the only suspension; Promise.all runs in parallel. Every result is journaled, and reviewed as declared.
 * @param {import("./stepwell").Run} run
 * @param {Record<string, any>} inputs
 */
export default async function (run, inputs) {
  const parts = await run.step("divide", {});
  const text = [];
  for (const part of parts) {
    text.push(await run.step("write", { part, earlier: text }));
  }
  return { title: inputs.topic, body: text.join("\n\n") };
}
