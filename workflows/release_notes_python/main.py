"""Release notes: `workflow.toml` declares the steps, this says which of them to call with what."""

import asyncio

import stepwell

# In the order in which they are read.
GROUPS = ["Breaking changes", "New", "Better", "Fixed", "Security"]


async def main(run, inputs):
    count = await run.step("count", {})
    log = await run.step("log", {})
    portions = await run.step("portions", {"log": log})
    left_out = await run.step("left_out", {"log": log, "count": count})

    # All portions at once, then all groups. What the person skipped comes back as None.
    sorted_changes = await asyncio.gather(*(run.step("classify", {"item": item}) for item in portions))
    found = [group for groups in sorted_changes if groups is not None for group in groups]
    items = [
        {"group": name, "entries": [entry for group in found if group["group"] == name for entry in group["entries"]]}
        for name in GROUPS
    ]
    items = [item for item in items if item["entries"]]
    written = await asyncio.gather(*(run.step("write", {"item": item}) for item in items))
    groups = [{"name": item["group"], "notes": text} for item, text in zip(items, written) if text is not None]

    notes = (await run.step("assemble", {"groups": groups, "commits": bool(portions)})).strip()
    remarks = [left_out] if left_out else []
    for number, sorted_portion in enumerate(sorted_changes, 1):
        if sorted_portion is None:
            remarks.append(f"Not sorted: part {number} of {len(sorted_changes)} of the log, which was skipped.")
    for item, text in zip(items, written):
        if text is None:
            remarks.append(f"Not written: “{item['group']}”, which was skipped.")
    if inputs["file"] and groups:
        try:
            place = await run.step("place", {})
            patch = await run.step("patch", {"place": place, "notes": notes})
            await run.step("save", {"place": place, "patch": patch})
        except stepwell.CallFailed as error:
            # The notes are there, whether they were saved or not.
            remarks.append(f"Not saved: {error.message}.")
    body = "\n\n".join([notes, *(f"*{remark}*" for remark in remarks)])
    return {"title": f"Release notes {inputs['version']}", "body": body}


if __name__ == "__main__":
    stepwell.serve(main)
