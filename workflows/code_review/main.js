/**
 * A code review. First everything that changed is listed; what is reviewed is chosen, source before tests before
 * documents; then each file is reviewed by itself, and one report is written of them all.
 *
 * What nobody reviewed is named with the reason, in the prompts, in the list of what is reviewed and in the result, and
 * nothing is approved while it matters.
 */
import { changedFiles, statusOf, withoutFilters, words } from "./git.js";
import { choose } from "./reading.js";
import { Review, plural } from "./review.js";

export default async function (run, inputs) {
  const [root, empty, commits, shallow, ...filters] = await run.step("repository", {}, once("repository"));
  const known = shallow === "false" ? Number(commits) : Infinity;
  const git = { root, off: withoutFilters(filters), against: base(inputs.against, known, empty) };
  const files = await changed(run, inputs.paths, git);
  const compared = `${inputs.against}${inputs.paths ? `, in ${inputs.paths.trim().replace(/\s+/g, " ")}` : ""}`;
  if (files.length === 0) {
    return { title: "Nothing to review", body: `There is no difference to ${compared}.` };
  }

  const review = new Review(files);
  const chosen = await choose(run, { ...git, limit: inputs.files }, files, review);
  const unread = review.reasons();
  const scope = { counted: review.counted(), chosen: chosen.map(({ path }) => path), unread, noted: review.noted };
  await run.step("scope", scope, once("scope"));

  await inspect(run, chosen, review);
  const report = review.files.length > 0 ? await reportOf(run, review) : null;
  const purpose = (inputs.purpose ?? "").split("\n").find((line) => line.trim() !== "");
  const about = `Review of ${plural(files.length, "file")} of ${root.split("/").pop()} against ${compared}`;
  return { title: purpose ? `Review: ${purpose.trim()}` : about, body: review.body(report) };
}

/** Names a call that there is once by its step alone. */
function once(step) {
  return { key: step };
}

/**
 * What is compared with. A commit alone is the range from the one before it. Before the first commit, and before `HEAD` where
 * that is the first of `commits`, there is nothing: the empty tree.
 */
function base(against, commits, empty) {
  const [, commit, parent] = /^(.*)\^(?:!|-(\d*))$/.exec(against) ?? [];
  const range = commit ? `${commit}^${parent ?? ""}..${commit}` : against;
  const at = range.indexOf("..");
  const [from, to] = at < 0 ? [range, ""] : [range.slice(0, at), range.slice(at).replace("...", "..")];
  const nothing = (commits === 0 && /^(HEAD|@)$/.test(from)) || (commits === 1 && /^(HEAD|@)(\^|~)1?$/.test(from));
  return nothing ? empty + to : range;
}

/** Everything that differs; where the working tree is compared, the files that are new to git too. */
async function changed(run, paths, { against, off }) {
  const among = { against, off, paths: words(paths) };
  const working = !against.includes("..");
  const [list, status] = await Promise.all([run.step("changes", among, once("changes")), working ? run.step("status", among, once("status")) : null]);
  const { untracked, conflicts } = status === null ? { untracked: [], conflicts: new Set() } : statusOf(status);
  const files = changedFiles(list).map((file) => ({ ...file, unmerged: file.unmerged || conflicts.has(file.path) }));
  return [...files, ...untracked];
}

/** Has every part of every file reviewed. A part that fails, or that the person skips, ends nothing: it is named. */
async function inspect(run, files, review) {
  const [counted, hidden] = [review.counted(), review.hidden()];
  const failures = [];
  const ask = async (file, shown, at) => {
    const parts = file.parts.length;
    const name = parts > 1 ? `${file.path}, part ${at + 1} of ${parts}` : file.path;
    try {
      const item = { file: name };
      const answer = await run.step("inspect", { item, file: file.path, about: file.about, shown, counted, hidden });
      return answer ?? { why: "was skipped by the person" };
    } catch (error) {
      failures.push(error);
      return { why: `could not be reviewed (${error.reason.replace(/\.$/, "")})` };
    }
  };
  const answers = await Promise.all(files.map((file) => Promise.all(file.parts.map((part, at) => ask(file, part, at)))));
  files.forEach((file, at) => review.add(file, answers[at]));
  // Where nothing could be asked there is no review to report on: the run fails, and can be resumed.
  if (review.files.length === 0 && failures.length > 0) throw failures[0];
}

/** A prompt has room for so many names of files that share a reason. */
const IN_A_PROMPT = 60;

async function reportOf(run, review) {
  const material = {
    counted: review.counted(),
    reviews: review.files,
    unread: review.reasons(IN_A_PROMPT),
    noted: review.noted.slice(0, IN_A_PROMPT),
    blockers: review.blockers(),
    unread_sources: review.unreadSources(),
  };
  return await run.step("report", material, once("report"));
}
