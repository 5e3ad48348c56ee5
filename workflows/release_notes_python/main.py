"""Release notes: `workflow.toml` declares the steps, this says which of them to call with what."""

import asyncio

import stepwell


async def main(run, inputs):
    log = await run.step("log")
    sorted_changes = await run.step("classify", {"log": log})

    # All groups at once. A group that the person skipped comes back as None.
    notes = await asyncio.gather(*(run.step("write", {"item": item}) for item in sorted_changes))
    groups = [
        {"name": item["group"], "notes": text} for item, text in zip(sorted_changes, notes) if text is not None
    ]

    text = (await run.step("assemble", {"groups": groups})).strip()
    if inputs["file"]:
        try:
            await run.step("save", {"text": text})
        except stepwell.CallFailed as error:
            # The notes are there, whether they were saved or not.
            print("not saved:", error)
    return {"title": f"Release notes {inputs['version']}", "body": text}


if __name__ == "__main__":
    stepwell.serve(main)
