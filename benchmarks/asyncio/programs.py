"""The tutorial's MemoryLeakDetector and TaskManager, and what is measured of them.

As in the tutorial, but for psutil: the standard library is all there is, so the size of the process is read from /proc.
"""

import asyncio
import gc
import json
import resource
import sys
import time
import tracemalloc
import weakref


def memory_info():
    with open("/proc/self/statm") as file:
        vms, rss = file.read().split()[:2]
    return int(rss) * resource.getpagesize(), int(vms) * resource.getpagesize()


class MemoryLeakDetector:
    def __init__(self):
        self.task_refs = weakref.WeakSet()
        self.snapshots = []
        tracemalloc.start()

    def take_snapshot(self, label):
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
        self.snapshots.append((label, snapshot))
        rss, vms = memory_info()
        return {"label": label, "rss": rss / 1024 / 1024, "vms": vms / 1024 / 1024, "snapshot": snapshot}

    def compare_snapshots(self, earlier_label, later_label):
        earlier = next(s for l, s in self.snapshots if l == earlier_label)
        later = next(s for l, s in self.snapshots if l == later_label)
        return "\n".join(str(stat) for stat in later.compare_to(earlier, "lineno")[:10])

    def track_task(self, task):
        self.task_refs.add(task)

    def get_active_tasks(self):
        return [task for task in self.task_refs if not task.done()]


class TaskManager:
    def __init__(self):
        self.tasks = set()

    def create_task(self, coro):
        task = asyncio.create_task(coro)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def cancel_all(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


async def brief():
    await asyncio.sleep(0)


def untracked():
    return asyncio.create_task


def weak_set():
    refs = weakref.WeakSet()

    def create(coro):
        task = asyncio.create_task(coro)
        refs.add(task)
        return task

    return create


def detected():
    detector = MemoryLeakDetector()

    def create(coro):
        task = asyncio.create_task(coro)
        detector.track_task(task)
        return task

    return create


def managed():
    return TaskManager().create_task


ways = {"untracked": untracked, "WeakSet": weak_set, "TaskManager": managed, "MemoryLeakDetector": detected}


async def spawn_and_finish(way):
    """Answers each line, a number of tasks, with the nanoseconds of processor time that one of them took."""
    create = ways[way]()
    for line in sys.stdin:
        count = int(line)
        start = time.process_time()
        await asyncio.gather(*[create(brief()) for _ in range(count)])
        print((time.process_time() - start) * 1e9 / count, flush=True)


def timed(run):
    start = time.process_time()
    result = run()
    return (time.process_time() - start) * 1000, result


async def cancelled(tasks):
    start = time.process_time()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return (time.process_time() - start) * 1000


async def plain(count):
    await cancelled([asyncio.create_task(asyncio.sleep(1000)) for _ in range(100)])
    before, _ = memory_info()
    tasks = [asyncio.create_task(asyncio.sleep(1000)) for _ in range(count)]
    await asyncio.sleep(0)
    resident = memory_info()[0] - before
    return {"resident": resident / count, "cancel": await cancelled(tasks)}


async def tracked(count):
    detector = MemoryLeakDetector()
    await cancelled([asyncio.create_task(asyncio.sleep(1000)) for _ in range(100)])
    detector.take_snapshot("start")
    before, _ = memory_info()
    traced, _ = tracemalloc.get_traced_memory()
    tasks = []
    for _ in range(count):
        task = asyncio.create_task(asyncio.sleep(1000))
        detector.track_task(task)
        tasks.append(task)
    del task
    await asyncio.sleep(0)
    resident = memory_info()[0] - before
    heap = tracemalloc.get_traced_memory()[0] - traced
    listing, active = timed(detector.get_active_tasks)
    seen = len(active)
    del active
    taking, _ = timed(lambda: detector.take_snapshot("tasks"))
    comparing, _ = timed(lambda: detector.compare_snapshots("start", "tasks"))
    await cancelled(tasks)
    return {
        "resident": resident / count,
        "heap": heap / count,
        "list": listing,
        "seen": seen,
        "take": taking,
        "compare": comparing,
        "both": taking + comparing,
    }


async def stopped(count):
    manager = TaskManager()
    for _ in range(count):
        manager.create_task(asyncio.sleep(1000))
    await asyncio.sleep(0)
    start = time.process_time()
    await manager.cancel_all()
    return {"stop": (time.process_time() - start) * 1000}


programs = {"plain": plain, "tracked": tracked, "managed": stopped}

if __name__ == "__main__":
    command, argument = sys.argv[1:]
    if command == "spawn":
        asyncio.run(spawn_and_finish(argument))
    else:
        print(json.dumps(asyncio.run(programs[command](int(argument)))))
