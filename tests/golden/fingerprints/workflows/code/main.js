export default async function (run, inputs) {
  await Promise.all([
    run.step("write", { topic: "sea" }),
    run.step("act", { topic: "sea" }, { key: "named" }),
    run.prompt("Free text."),
    run.prompt("A list.", { output: { type: "array" } }),
    run.command(["build", "--all"]),
    run.http({ url: "https://example.org/x", method: "POST", json: { a: 1 } }),
    run.ask([{ name: "colour", type: "choice", choices: ["red", "blue"] }]),
    run.step("kid", { topic: "sea" }),
    run.review("summary", { text: "as it is" }),
  ]);
}
