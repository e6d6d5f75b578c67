import asyncio


async def work(name, seconds):
    await asyncio.sleep(seconds)
    print("done", name)
    return name


async def main():
    print(await asyncio.gather(work("slow", 0.03), work("fast", 0.01)))
    queue = asyncio.Queue(2)

    async def produce():
        for n in range(4):
            await queue.put(n)
        await queue.put(None)

    producer = asyncio.create_task(produce())
    got = []
    while (item := await queue.get()) is not None:
        got.append(item)
    await producer
    print(got)
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.01)
    except TimeoutError:
        print("timeout")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(str(n), 0)) for n in range(2)]
    print([task.result() for task in tasks], await asyncio.to_thread(pow, 2, 10))


asyncio.run(main())
