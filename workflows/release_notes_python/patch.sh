# The difference that saving makes, as `git apply` reads it: `sh patch.sh FILE < NOTES`, in the folder of the file.
#
# The notes go before the newest version in the file, below its title, with headings as deep as those of the other versions;
# where no version has a heading, below the title and what introduces it; without a title, at the beginning. Front matter,
# comments and code are not looked into. No line of the file goes: a line that has no end, or a byte order mark before it, is
# written again with what it needs. A full stop is behind the difference, so that no blank at its end is lost.
#
# The whole file is read, however long it is; only three lines on either side of the notes are in the difference.
export LC_ALL=C

open=0
if [ -s "./$1" ] && [ -n "$(tail -c 1 -- "./$1")" ]; then open=1; fi
if [ -e "./$1" ]; then file="./$1"; else file=/dev/null; fi

name="$1" awk -v open="$open" -v is_new="$([ -e "./$1" ] || echo 1)" '
read == "notes" { notes[++count] = $0; next }
{ row[++rows] = $0 }

# Whether a line is what Markdown does not show as text, by its number.
function set_aside(    at, until, fence) {
    for (at = 1; at <= rows; at++) {
        if (until) {
            aside[at] = 1
            if (row[at] ~ until) until = ""
        } else if (at == 1 && row[at] ~ /^---[ \t\r]*$/ && has_more(until = "^(---|[.][.][.])[ \t\r]*$")) {
            aside[at] = 1
        } else if (match(row[at], /^ ? ? ?(```|~~~)/)) {
            aside[at] = 1
            fence = substr(row[at], RLENGTH, 1)
            until = "^ ? ? ?" fence fence fence "+[ \t\r]*$"
        } else {
            until = ""
            if (row[at] ~ /^ ? ? ?<!--/) {
                aside[at] = 1
                if (row[at] !~ /-->/) until = "-->"
            }
        }
    }
}

function has_more(end,    at) {
    for (at = 2; at <= rows; at++) if (row[at] ~ end) return 1
    return 0
}

# How deep a heading the line is, or 0; what it says is in `title`.
function heading(at) {
    if (aside[at]) return 0
    title = at == 1 ? top : row[at]
    if (match(title, /^#+[ \t]/)) {
        title = substr(title, RLENGTH + 1)
        return RLENGTH - 1
    }
    if (title ~ /^[ \t\r]*$/ || title ~ /^[-=#>|<*+ \t]/) return 0
    if (row[at + 1] ~ /^===+[ \t\r]*$/) return 1
    if (row[at + 1] ~ /^---+[ \t\r]*$/) return 2
    return 0
}

# The line before which the notes go; `depth` is how deep the headings of versions are.
function place(    first, at, level, found, next_one, titled) {
    for (first = 1; first <= rows && (aside[first] || row[first] ~ /^[ \t\r]*$/); first++);
    titled = heading(first) == 1
    for (at = first; at <= rows; at++) {
        level = heading(at)
        if (!level) continue
        if (at > first && !next_one) next_one = at
        if (level > 4 || title !~ /[0-9][.][0-9]|[0-9][0-9][0-9][0-9]-[0-9][0-9]/) continue
        if (found && level <= depth) continue
        depth = level
        # A title may name a version that is none of its own: "Changelog for Python 3.12".
        if (found || at > first || tolower(title) ~ /^[^a-z0-9]*(version |release |v)?[0-9]/) return at
        found = at
    }
    if (found) return found
    depth = titled ? 2 : 1
    if (!titled) return first > rows ? rows + 1 : first
    return next_one ? next_one : rows + 1
}

function is_text(line) {
    return line ~ /^([\001-\177]|[\302-\337][\200-\277]|[\340-\357][\200-\277][\200-\277]|[\360-\364][\200-\277][\200-\277][\200-\277])*$/
}

END {
    top = row[1]
    mark = sub(/^\357\273\277/, "", top) ? substr(row[1], 1, 3) : ""
    set_aside()
    at = place()
    at_end = rows && at > rows
    unended = at_end && open
    if (at > 1) mark = ""
    end = rows > open && row[1] ~ /\r$/ ? "\r" : ""

    # Lines from `from` on come after the notes; a line without an end is no context.
    from = at - unended
    for (n = from - 3 > 1 ? from - 3 : 1; n < from; n++) before[++befores] = row[n]
    for (n = from + (mark != ""); n < from + 3 && n <= rows - open; n++) after[++afters] = row[n]
    for (n = 1; n <= befores; n++) if (!is_text(before[n])) foreign = 1
    for (n = 1; n <= afters; n++) if (!is_text(after[n])) foreign = 1
    if (foreign) befores = afters = 0

    old = befores + afters + (unended || mark != "")
    print "--- " (is_new ? "/dev/null" : "a/" ENVIRON["name"])
    print "+++ b/" ENVIRON["name"]
    print "@@ -" (from - 1 - befores + (old > 0)) "," old " +" (from - befores) "," (old + count + (rows > 0)) " @@"
    for (n = 1; n <= befores; n++) print " " before[n]
    if (unended) {
        print "-" row[rows]
        print "\\ No newline at end of file"
        print "+" row[rows] end
    }
    if (mark) {
        print "-" row[1]
        if (rows == open) print "\\ No newline at end of file"
    }
    if (at_end) print "+" end
    for (n = 1; n <= count; n++) print "+" (n == 1 ? mark : "") (notes[n] ~ /^#/ ? substr("###", 1, depth - 1) : "") notes[n] end
    if (rows && !at_end) print "+" end
    if (mark) {
        print "+" top
        if (rows == open) print "\\ No newline at end of file"
    }
    for (n = 1; n <= afters; n++) print " " after[n]
    printf "."
}' read=notes - read=file "$file"
