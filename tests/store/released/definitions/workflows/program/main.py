import stepwell


async def main(run, inputs):
    print("at", await run.now() > 0)
    parts = await run.step("divide", {})
    texts = []
    for nth, part in enumerate(parts):
        texts.append(await run.step("write", {"nth": nth, "part": part}))
    return {"title": inputs["topic"], "body": "\n\n".join(texts)}


if __name__ == "__main__":
    stepwell.serve(main)
