//! How deep a value may be nested that is kept.

/// A value that is nested deeper than this could not be read back on every thread's stack.
const DEEPEST: usize = 512;

/// Refuses JSON that is nested too deep, in words for a person.
pub(super) fn check(json: &str) -> Result<(), String> {
    if nests_too_deep(json) {
        return Err(format!("a value that is nested more than {DEEPEST} deep is not kept"));
    }
    Ok(())
}

fn nests_too_deep(json: &str) -> bool {
    // Few bodies have so many brackets at all.
    if json.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return false;
    }
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest > DEEPEST
}
