import stepwell


async def main(run, inputs):
    parts = await run.step("divide", {})
    text = []
    for part in parts:
        text.append(await run.step("write", {"part": part, "earlier": text}))
    return {"title": inputs["topic"], "body": "\n\n".join(text)}


if __name__ == "__main__":
    stepwell.serve(main)
