/**
 * Which files of a change are reviewed, and what of them: the diffs are read in the order in which files matter, until
 * there are as many as the person allows. Everything else is noted or left out, with the reason.
 */
import { attributes, diffsOf } from "./git.js";
import { KINDS, kindOf, unreadable, writtenBy } from "./kinds.js";
import { partsOf } from "./parts.js";
import { plural } from "./review.js";

/**
 * At most this many names, and names of this many characters, are asked about and judged at once: git's answer has each of
 * them twice, and an output is cut at 1 MB.
 */
const MOST_NAMES = 500;
const MOST_OF_NAMES = 150_000;

/** At most this many files and lines are asked for at once, for the same reason. */
const MOST_FILES = 40;
const MOST_LINES = 4000;

/** At most this many characters are parsed between two answers: a script computes for a third of a second at most. */
const MOST_AT_ONCE = 200_000;

/** All that is reviewed of a change, in characters. */
const MOST_TEXT = 6_000_000;
const TOO_MUCH = "is over what one run reviews of a change";

const SUBMODULE = "160000";
const LINK = "120000";

/** The files to be reviewed, each with its `parts`. `git` says where git is called and how: `root`, `off`, and `against`. */
export async function choose(run, { limit, ...git }, files, review) {
  const candidates = await inOrder(run, git.root, files, review);
  const chosen = [];
  let [next, size] = [0, 0];
  while (next < candidates.length && chosen.length < limit && size < MOST_TEXT) {
    const wave = candidates.slice(next, next + limit - chosen.length);
    next += wave.length;
    await Promise.all(batches(wave).map((batch) => read(run, git, batch)));
    for (const file of wave.filter((file) => hasText(file, review))) {
      if (size >= MOST_TEXT) {
        review.leaveOut(file, TOO_MUCH);
        continue;
      }
      chosen.push(file);
      size += file.parts.reduce((sum, part) => sum + part.length, 0);
      if (file.rest !== null) review.leaveOut(file, "is longer than one run reviews of a file", { part: `from line ${file.rest} on` });
    }
  }
  const over = size >= MOST_TEXT ? TOO_MUCH : `is over the limit of ${plural(limit, "file")}`;
  for (const file of candidates.slice(next)) review.leaveOut(file, over);
  review.chosen = chosen.length;
  return chosen;
}

/** The files that may have a text to review, those first that are read first. Some at a time are judged between two answers. */
async function inOrder(run, root, files, review) {
  const ofKind = new Map(KINDS.map((kind) => [kind, []]));
  for (const some of named(files)) {
    const names = some.map((file) => file.path).join("\0");
    const found = attributes(await run.step("attributes", { item: called(some), root, names }));
    for (const file of some) {
      file.attributes = found.get(file.path) ?? {};
      if (mayBeReviewed(file, review)) ofKind.get(file.kind).push(file);
    }
  }
  return [...ofKind.values()].flat();
}

/** As many of the files at a time as git is asked about at once. */
function* named(files) {
  let [some, length] = [[], 0];
  for (const file of files) {
    if (some.length === MOST_NAMES || (some.length > 0 && length + file.path.length > MOST_OF_NAMES)) {
      yield some;
      [some, length] = [[], 0];
    }
    some.push(file);
    length += file.path.length;
  }
  if (some.length > 0) yield some;
}

/** Whether a file may have a text to review, as far as git's list says. What has none is noted or left out. */
function mayBeReviewed(file, review) {
  file.kind = kindOf(file.path);
  const { path, from, status, unmerged, binary, untracked } = file;
  const [before, after] = file.modes;
  const changes = status !== "A" && status !== "D";
  file.about = [
    ...(from === null ? [] : [`${status === "C" ? "copied" : "renamed"} from ${from}`]),
    ...(changes && before !== after ? [`its mode changed from ${before} to ${after}`] : []),
    ...(status === "A" ? ["a new file"] : []),
  ].join(", ");
  const written = writtenBy(path, file.attributes);
  if (path.includes("\ufffd")) review.leaveOut(file, "has a name that is not UTF-8");
  else if (path.endsWith("/")) review.note(file, "a repository of its own inside this one");
  else if (unmerged) review.leaveOut(file, "has merge conflicts");
  else if (status === "D") review.note(file, "deleted");
  else if (before === SUBMODULE || after === SUBMODULE) review.note(file, `a submodule, from ${shortId(file.ids[0], "nothing")} to ${shortId(file.ids[1], "another commit")}`);
  else if (after === LINK || status === "T") review.note(file, "a symbolic link, or one before");
  else if (binary) review.note(file, file.about === "" ? "binary" : `${file.about}, binary`);
  else if (!untracked && file.lines[0] + file.lines[1] === 0) review.note(file, file.about || "no line of it changed");
  else if (written !== null) review.leaveOut(file, written, { generated: true });
  else return true;
  return false;
}

/** An id of zeros alone is not known to git's list. */
function shortId(id, unknown) {
  return /^0*$/.test(id) ? unknown : id.slice(0, 7);
}

/** What a call about some files is called. */
function called(files) {
  return files.length === 1 ? files[0].path : `${files.length} files, from ${files[0].path} on`;
}

function batches(files) {
  const made = [];
  for (const untracked of [false, true]) {
    let [batch, lines] = [[], 0];
    for (const file of files.filter((file) => file.untracked === untracked)) {
      // What surrounds the changes has to fit, too.
      const more = 2 * (file.lines[0] + file.lines[1]) + 30;
      if (batch.length > 0 && (batch.length === MOST_FILES || lines + more > MOST_LINES)) {
        made.push(batch);
        [batch, lines] = [[], 0];
      }
      batch.push(file);
      lines += more;
    }
    if (batch.length > 0) made.push(batch);
  }
  return made;
}

/** Reads the diffs of a few files, and those that did not arrive whole, or for which there is no time, each by itself. */
async function read(run, git, batch) {
  const names = batch.flatMap((file) => (file.from === null ? [file.path] : [file.from, file.path]));
  const text = batch[0].untracked
    ? await run.step("new_files", { item: called(batch), root: git.root, off: git.off, names: names.join("\0") })
    : await run.step("diff", { item: called(batch), ...git, names });
  const diffs = diffsOf(text ?? "", batch);
  const again = [];
  let taken = 0;
  for (const file of batch) {
    const diff = diffs.get(file.path);
    taken += diff?.length ?? 0;
    if (taken > MOST_AT_ONCE && batch.length > 1) {
      again.push(file);
      continue;
    }
    const hunks = diff === undefined ? -1 : diff.indexOf("\n@@ ");
    file.head = diff === undefined ? null : hunks < 0 ? diff : diff.slice(0, hunks);
    Object.assign(file, partsOf(hunks < 0 ? "" : diff));
    file.unreadable = hunks < 0 ? null : unreadable(diff, file.attributes);
    const counted = file.rest !== null || (file.added >= file.lines[0] && file.removed >= file.lines[1]);
    const whole = diff !== undefined && file.whole && counted;
    if (!whole && batch.length > 1) again.push(file);
  }
  for (const file of again) await read(run, git, [file]);
}

/** Whether a file that was read has a text to review. What has none is noted or left out. */
function hasText(file, review) {
  const { head, parts } = file;
  if (head === null) review.leaveOut(file, "has no diff that could be read");
  else if (/^new file mode 120000$/m.test(head)) review.note(file, "a symbolic link");
  else if (parts.length === 0) review.note(file, /^Binary files /m.test(head) ? "a new file, binary" : "a new file, empty");
  else if (file.unreadable !== null) review.leaveOut(file, file.unreadable, { generated: true });
  else return true;
  return false;
}
