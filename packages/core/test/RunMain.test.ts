/** Real processes and real signals: their exit codes, their times and their output. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Ended, Running, StartOptions } from "./support/Process.ts"
import { fixture, pass, start } from "./support/Process.ts"

type Options = Readonly<Record<string, unknown>>

const app = (mode: string, options: Options = {}, how?: StartOptions): Running =>
  start([process.execPath, fixture("shutdown/app.ts"), mode, JSON.stringify(options)], how)

/** Runs a program until it is up, sends it signals, and waits for its end. A number is a pause before the next signal. */
const end = async (
  mode: string,
  signals: ReadonlyArray<NodeJS.Signals | number>,
  options?: Options,
  how?: StartOptions
): Promise<Ended> => {
  const running = app(mode, options, how)
  await running.printed("up\n")
  for (const signal of signals) {
    if (typeof signal === "number") await pass(signal)
    else running.kill(signal)
  }
  return running.ended
}

const deadlineMs = 1000
/** Longer than the time in which signals count as one, also when they are late. */
const later = 600

/** Checks that the process ended by itself, within a second after its deadline as far as the machine allows, and printed only this. */
const assertEnded = (ended: Ended, code: number, stdout: ReadonlyArray<string>, ms = deadlineMs) => {
  assert.isFalse(ended.killed, `did not end: ${ended.stdout}${ended.stderr}`)
  assert.deepStrictEqual([ended.code, ended.signal], [code, null], ended.stderr)
  assert.deepStrictEqual(ended.stdout.split("\n").filter((line) => line !== ""), stdout)
  assert.isBelow(ended.ms, ms + 1000 + ended.startMs, ended.stderr)
}

const file = String.raw`\S*test/fixtures/shutdown/app\.ts`

describe.concurrent("runMain, after a signal", { timeout: 60_000 }, () => {
  it.for([["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]] as const)(
    "runs finalizers, and exits with 128 and the number of %s",
    async ([signal, code]) => {
      const ended = await end("quick", [signal])
      assertEnded(ended, code, ["up", "finalized"])
      assert.match(
        ended.stderr,
        new RegExp(`^${signal}: stopping, in 1.0 s at most\nstopped after .*, exit code ${code}\n$`)
      )
    }
  )

  it("waits for a slow finalizer, and counts signals in quick succession as one", async () => {
    assertEnded(await end("slow", ["SIGTERM", 20, "SIGTERM", 20, "SIGTERM"], { deadline: 5000 }), 143, [
      "up",
      "finalized slowly"
    ])
  })

  it("exits immediately at a second signal, with its code, and lists live fibers", async () => {
    const ended = await end("uninterruptible", ["SIGTERM", later, "SIGINT"], { deadline: 20_000 })
    assertEnded(ended, 130, ["up"], later)
    assert.match(
      ended.stderr,
      new RegExp(
        `a second signal: .*\n  1 live fiber:\n    main: transfer \\(${file}:\\d+\\), waits at ${file}:\\d+:\\d+`
      )
    )
  })

  it("exits immediately at a second signal during a finalizer, and names the finalizer", async () => {
    const ended = await end("hang", ["SIGTERM", later, "SIGTERM"], { deadline: 20_000 })
    assertEnded(ended, 143, ["up", "hanging"], later)
    assert.match(
      ended.stderr,
      new RegExp(`a second signal: .*\n  1 live fiber:\n    main: Db\\.close \\(${file}:\\d+\\)`)
    )
  })

  it("ends at the deadline of the first signal, however many ignored signals follow", async () => {
    const ended = await end("hang", ["SIGTERM", later, "SIGTERM", 50, "SIGINT", 50, "SIGHUP"], {
      secondSignal: "ignore",
      deadline: 1200
    })
    assertEnded(ended, 143, ["up", "hanging"], 1200)
    assert.match(ended.stderr, /the deadline has passed: .*, exit code 143\n/)
    assert.include(ended.stderr, "SIGHUP: waiting for main in Db.close")
  })

  it("ignores a second signal when configured", async () => {
    const ended = await end("slow", ["SIGTERM", later, "SIGTERM"], { secondSignal: "ignore", deadline: 5000 })
    assertEnded(ended, 143, ["up", "finalized slowly"])
  })

  it("reports fibers of the program, and not its own", async () => {
    const ended = await end("heldOpen", ["SIGTERM", later, "SIGTERM"], { deadline: 20_000 })
    assertEnded(ended, 143, ["up"], later)
    assert.match(ended.stderr, /held open:\n {4}"upload of a film"\n {2}1 live fiber:\n {4}main: /)
  })

  it("shortens the time after a second signal when configured", async () => {
    const ended = await end("hang", ["SIGTERM", later, "SIGTERM"], {
      secondSignal: { shortenTo: 200 },
      deadline: 20_000
    })
    assertEnded(ended, 143, ["up", "hanging"], later + 200)
    assert.include(ended.stderr, "the deadline has passed")
  })

  it("ends at the deadline when a finalizer hangs, and prints its name and line", async () => {
    const ended = await end("hang", ["SIGTERM"], { deadline: 3000 })
    assertEnded(ended, 143, ["up", "hanging"], 3000)
    assert.match(ended.stderr, new RegExp(`waiting for main in Db\\.close \\(${file}:\\d+\\)`))
    assert.match(
      ended.stderr,
      new RegExp(
        `the deadline has passed: .*\n.*\n    main: Db\\.close \\(${file}:\\d+\\), waits at ${file}:\\d+:\\d+, .*does not respond to interruption`
      )
    )
  })

  it("finds the line where a finalizer without a name hangs", async () => {
    const ended = await end("hangUnnamed", ["SIGTERM"])
    assertEnded(ended, 143, ["up", "hanging"])
    const source = readFileSync(fixture("shutdown/app.ts"), "utf8").split("\n")
    const line = Number(/main: waits at \S+app\.ts:(\d+):/.exec(ended.stderr)?.[1])
    assert.strictEqual(source[line - 1]?.trim(), "return yield* Effect.never")
    assert.include(source.slice(line - 4, line - 1).join("\n"), "hangUnnamed")
  })

  it("ends at the deadline in an uninterruptible region, and prints its line", async () => {
    const ended = await end("uninterruptible", ["SIGTERM"])
    assertEnded(ended, 143, ["up"])
    assert.match(ended.stderr, new RegExp(`main: transfer \\(${file}:\\d+\\)`))
  })

  it("prints the failure of a finalizer, and exits with 1", async () => {
    const ended = await end("die", ["SIGTERM"])
    assertEnded(ended, 1, ["up"])
    assert.match(ended.stderr, /failed while it was interrupted: Error: finalizer boom\n {4}at /)
  })

  it("exits with 143 when main swallows its interruption", async () => {
    assertEnded(await end("swallow", ["SIGTERM"]), 143, ["up", "finalized"])
    assertEnded(await end("onExitSucceed", ["SIGTERM"]), 143, ["up", "interrupted"])
  })

  it("interrupts detached fibers after main", async () => {
    assertEnded(await end("detached", ["SIGTERM"]), 143, ["up", "finalized", "detached cleaned"])
  })

  it("ends at the deadline when a detached fiber hangs, and names it", async () => {
    const ended = await end("detachedHangs", ["SIGTERM"])
    assertEnded(ended, 143, ["up", "finalized"])
    assert.match(ended.stderr, new RegExp(`1 live fiber:\n    #\\d+: Metrics\\.publish \\(${file}:\\d+\\), waits at`))
  })

  it("interrupts detached fibers also when main hangs", async () => {
    assertEnded(await end("detachedAndHang", ["SIGTERM"]), 143, ["up", "detached cleaned"])
  })

  it("prints a thousand stuck fibers of one place in one line", async () => {
    const ended = await end("manyStuck", ["SIGTERM"])
    assertEnded(ended, 143, ["up", "finalized"])
    const lines = ended.stderr.split("\n").filter((line) => line.includes("Metrics.publish"))
    assert.match(lines.at(-1)!, /^ {4}1000 fibers: Metrics\.publish /)
  })

  it("releases the resources of an unfinished start-up, without a delay", async () => {
    const ended = await end("starting", ["SIGTERM"], { preStopDelay: 10_000, deadline: 20_000 })
    assertEnded(ended, 143, ["up", "finalized"], 1000)
  })

  it("ends at the deadline when an uninterruptible start-up hangs, and prints its line", async () => {
    const ended = await end("startingHangs", ["SIGTERM"], { preStopDelay: 10_000 })
    assertEnded(ended, 143, ["up"])
    assert.match(ended.stderr, new RegExp(`main: Db\\.open \\(${file}:\\d+\\), waits at ${file}:\\d+:\\d+`))
  })

  it("cleans up detached fibers of a main that has ended", async () => {
    const ended = await end("succeedWithDetached", [200, "SIGTERM"])
    assertEnded(ended, 143, ["up", "detached cleaned"])
  })

  it("ends at the deadline when a database does not answer during closing, and names the connection", async () => {
    const server = createServer({ allowHalfOpen: true }, () => {})
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    try {
      const ended = await end("database", ["SIGTERM"], {}, { env: { PORT: String(port) } })
      assertEnded(ended, 143, ["up", "finalized"])
      assert.match(ended.stderr, new RegExp(`main: Postgres\\.close \\(${file}:\\d+\\)`))
      assert.match(ended.stderr, new RegExp(`open handles:\n    socket 127\\.0\\.0\\.1:\\d+ → 127\\.0\\.0\\.1:${port}`))
    } finally {
      server.close()
    }
  })
})

describe.concurrent("runMain, in order", { timeout: 60_000 }, () => {
  it("runs phases before main is interrupted", async () => {
    assertEnded(await end("phases", ["SIGTERM"]), 143, ["up", "intake", "work", "resources", "finalized"])
  })

  it("is not ready before anything stops", async () => {
    assertEnded(await end("readiness", ["SIGTERM"]), 143, [
      "running: true",
      "up",
      "requested: false",
      "intake: false",
      "finalized"
    ])
  })

  it("continues after a phase that hangs, and names the stuck participant", async () => {
    const ended = await end("phaseHangs", ["SIGTERM"])
    assert.include(ended.stdout, "resources\nfinalized\n")
    assertEnded({ ...ended, stdout: "" }, 143, [])
    assert.match(
      ended.stderr,
      new RegExp(`"consumer" does not respond to interruption after .* \\(openConsumer \\(${file}:\\d+\\)\\)`)
    )
    assert.match(ended.stderr, new RegExp(`1 live fiber:\n    #\\d+: openConsumer \\(${file}:\\d+\\)`))
  })

  it("exits with 1 when a phase fails", async () => {
    const ended = await end("phaseFails", ["SIGTERM"])
    assertEnded({ ...ended, stdout: "" }, 1, [])
    assert.include(ended.stdout, "\"consumer\" failed")
    assert.match(ended.stderr, /did not stop in order:\n {4}"consumer" failed after/)
  })

  it("prints what it waits for, and what held it open", async () => {
    const ended = await end("heldOpen", ["SIGTERM"], { deadline: 2000 })
    assertEnded(ended, 143, ["up", "finalized"], 2000)
    assert.include(ended.stderr, "waiting for upload of a film; ")
    assert.match(ended.stderr, /held open:\n {4}"upload of a film"\n/)
  })

  it("exits with 0 when the program requests the shutdown, or with 1 when it must be forced", async () => {
    const ended = await end("requested", [])
    assertEnded(ended, 0, ["up", "finalized"])
    assert.match(ended.stderr, /^nothing left to do: stopping/)
    assertEnded(await end("requestedAndHang", []), 1, ["up"])
  })

  it("exits with 0 after a signal when configured, unless it was forced", async () => {
    assertEnded(await end("quick", ["SIGTERM"], { exitCode: "zero" }), 0, ["up", "finalized"])
    assertEnded(await end("hang", ["SIGTERM"], { exitCode: "zero" }), 143, ["up", "hanging"])
  })

  it("dies by the signal when configured, also with a watchdog", async () => {
    for (const watchdog of [false, true]) {
      const ended = await end("ready", ["SIGTERM"], { exitCode: "reraise", watchdog })
      assert.deepStrictEqual([ended.code, ended.signal, ended.stdout], [null, "SIGTERM", "up\nfinalized\n"])
    }
  })
})

describe.concurrent("runMain, without a signal", { timeout: 60_000 }, () => {
  it("ends silently when main succeeds", async () => {
    const ended = await end("succeed", [])
    assertEnded(ended, 0, ["up"])
    assert.strictEqual(ended.stderr, "")
  })

  it("prints a failure, interrupts detached fibers, and exits with its code", async () => {
    const ended = await end("failWithDetached", [])
    assert.match(ended.stdout, /^up\nfailed\n.*ERROR.*no database\ndetached cleaned\n$/s)
    assertEnded({ ...ended, stdout: "" }, 1, [])
    assertEnded({ ...await end("failWithCode", []), stdout: "" }, 42, [])
  })

  it.for(
    [["uncaught", "uncaughtException: Error: stray after 50"], [
      "rejection",
      "unhandledRejection: Error: stray rejection"
    ]] as const
  )(
    "stops in order after a fault: %s",
    async ([mode, told]) => {
      const ended = await end(mode, [])
      assertEnded(ended, 1, ["up", "finalized"])
      assert.include(ended.stderr, `${told}\n    at `)
    }
  )

  it("prints all faults of one turn, and counts them as one", async () => {
    const ended = await end("burst", [])
    assertEnded(ended, 1, ["up", "finalized"])
    for (const i of [0, 1, 2]) assert.include(ended.stderr, `rejection ${i}`)
  })

  it("exits immediately at a second fault, and lists live fibers", async () => {
    const ended = await end("uncaughtTwice", [], { deadline: 20_000, faultDeadline: 20_000 })
    assertEnded(ended, 1, ["up"], 200)
    assert.match(ended.stderr, /stray after 200[^]*a second fault: .*\n {2}1 live fiber:/)
  })

  it("continues the shutdown after a fault, and exits with 1", async () => {
    const ended = await end("faultInShutdown", ["SIGTERM"])
    assertEnded(ended, 1, ["up", "finalized"])
    assert.include(ended.stderr, "uncaughtException: Error: stray after 10")
  })

  it("has less time after a fault", async () => {
    const ended = await end("faultThenHang", ["SIGTERM"], { deadline: 20_000, faultDeadline: 500 })
    assertEnded(ended, 1, ["up"], 500)
    assert.include(ended.stderr, "the deadline has passed")
  })
})

describe.concurrent("runMain, without a reader of its output", { timeout: 60_000 }, () => {
  const deaf = async (
    mode: string,
    streams: ReadonlyArray<"stdout" | "stderr">,
    signals: ReadonlyArray<NodeJS.Signals>
  ) => {
    const running = app(mode)
    await running.printed("up\n")
    for (const stream of streams) running.child[stream]!.destroy()
    for (const signal of signals) running.kill(signal)
    return running.ended
  }

  it("stops in order when its stdout is closed", async () => {
    const ended = await deaf("chatty", ["stdout"], [])
    assert.deepStrictEqual([ended.code, ended.killed], [1, false])
    assert.match(ended.stderr, /broken output: stopping[^]*\(on stderr\) finalized\nstopped after/)
  })

  it("stops in order after a signal, whatever is closed", async () => {
    const one = await deaf("quick", ["stdout"], ["SIGTERM"])
    assert.deepStrictEqual([one.code, one.killed], [143, false])
    assert.include(one.stderr, "(on stderr) finalized")
    const both = await deaf("hang", ["stdout", "stderr"], ["SIGTERM"])
    assert.include([1, 143], both.code)
    assert.isFalse(both.killed)
  })

  it("ends when its output is not read", async () => {
    const running = app("manyStuck")
    await running.printed("up\n")
    running.child.stderr!.pause()
    running.kill("SIGTERM")
    const code = await new Promise((resolve) => running.child.once("exit", resolve))
    assert.strictEqual(code, 143)
    running.child.stderr!.resume()
    await running.ended
  })
})

describe.concurrent("runMain, with a watchdog", { timeout: 60_000 }, () => {
  const watched = { watchdog: true }

  it("ends at the deadline when a finalizer blocks the event loop, and prints where", async () => {
    const ended = await end("blockedFinalizer", ["SIGTERM"], watched)
    assertEnded(ended, 143, ["up"])
    assert.match(
      ended.stderr,
      new RegExp(
        `the event loop is blocked: .*\n  the event loop is blocked at:\n    block \\(${file}:\\d+:\\d+\\)\n    closeForEver \\(`
      )
    )
  })

  it("exits with 1 at the deadline of a shutdown without a signal", async () => {
    const ended = await end("requestedAndBlocked", [], watched)
    assertEnded(ended, 1, ["up"])
    assert.match(ended.stderr, new RegExp(`blocked at:\n    block \\(${file}:\\d+:\\d+\\)\n    closeForEver \\(`))
  })

  it("handles a signal while the event loop is blocked, and ends at the deadline", async () => {
    const ended = await end("blocked", ["SIGTERM"], watched)
    assertEnded(ended, 143, ["up"])
    assert.match(
      ended.stderr,
      new RegExp(`blocked at:\n    block \\(${file}:\\d+:\\d+\\)\n    spin \\(${file}:\\d+:\\d+\\)`)
    )
  })

  it("handles a second signal too, and exits immediately", async () => {
    const ended = await end("blocked", ["SIGTERM", later, "SIGINT"], { ...watched, deadline: 20_000 })
    assertEnded(ended, 130, ["up"], later)
  })

  it("kills a process that is blocked outside of JavaScript", async () => {
    const ended = await end("blockedOutside", ["SIGTERM"], watched)
    assert.deepStrictEqual([ended.code, ended.signal, ended.killed], [null, "SIGKILL", false])
    assert.isBelow(ended.ms, deadlineMs + 1000 + ended.startMs)
    assert.include(ended.stderr, "the event loop is blocked, and not by JavaScript")
  })

  it("does not affect a process that ends on its own", async () => {
    const ended = await end("ready", ["SIGTERM"], watched)
    assertEnded(ended, 143, ["up", "finalized"])
    assert.notInclude(ended.stderr, "blocked")
  })

  it("names the stuck fiber when the event loop is not blocked", async () => {
    const ended = await end("readyAndHang", ["SIGTERM"], watched)
    assertEnded(ended, 143, ["up", "hanging"])
    assert.match(ended.stderr, /: ending after [^]*main: Db\.close/)
  })
})

/** The reason why a command does not run here, printed for skipped tests; undefined if it runs. */
const missing = (what: string, command: string, args: ReadonlyArray<string>): string | undefined => {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  if (status === 0) return undefined
  const why = `${what} is not tried: ${error?.message ?? stderr.trim()}`
  // eslint-disable-next-line no-console
  console.log(why)
  return why
}

const noNamespace = missing("process 1", "unshare", ["--pid", "--fork", "--kill-child", "true"])
const noTerminal = missing("a terminal", "script", ["-qec", "true", "/dev/null"])

describe.skipIf(noNamespace !== undefined).concurrent("runMain, as process 1", { timeout: 60_000 }, () => {
  const firstProcess = async (mode: string, options: Options) => {
    const command = [process.execPath, fixture("shutdown/app.ts"), mode, JSON.stringify(options)]
    const running = start(["unshare", "--pid", "--fork", "--kill-child", ...command])
    await running.printed("up\n")
    const parent = running.child.pid!
    const child = Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim())
    // A signal for process 0 would be one for these tests.
    assert.isAbove(child, 1)
    running.kill("SIGTERM", child)
    return running.ended
  }

  it("exits with 143, since it cannot die by its own signal", async () => {
    assertEnded(await firstProcess("quick", { exitCode: "reraise" }), 143, ["up", "finalized"])
  })

  it("ends at the deadline", async () => {
    assertEnded(await firstProcess("hang", { exitCode: "reraise" }), 143, ["up", "hanging"])
  })
})

const receiver = `
import os, socket, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listening.bind(sys.argv[1])
print("listening", flush=True)
while True: print(listening.recv(4096).decode().replace("\\n", " "), flush=True)
`
const noSystemd = missing("systemd", "systemd-notify", ["--version"])
  ?? missing("systemd", "python3", ["-c", "import socket; socket.AF_UNIX"])

describe.skipIf(noSystemd !== undefined).concurrent("runMain, under systemd", { timeout: 60_000 }, () => {
  const told = async (mode: string, options: Options, until: (app: Running, systemd: Running) => Promise<void>) => {
    const directory = mkdtempSync(join(tmpdir(), "fiberscope-notify-"))
    const socket = join(directory, "notify")
    const systemd = start(["python3", "-c", receiver, socket], { up: "listening" })
    try {
      await systemd.printed("listening\n")
      const running = app(mode, options, { env: { NOTIFY_SOCKET: socket } })
      await until(running, systemd)
      await running.ended
      await systemd.printed("STOPPING=1")
      // The last message of a program asks whether the previous one was received.
      return systemd.stdout().split("\n").slice(1, -1).filter((word) => word !== "BARRIER=1")
    } finally {
      systemd.kill("SIGKILL")
      rmSync(directory, { recursive: true })
    }
  }

  it.for([[false], [true]] as const)(
    "notifies systemd that it is ready, that it stops, and how long it needs; watchdog: %s",
    async ([watchdog]) => {
      const heard = await told("quick", { systemd: true, watchdog }, async (running, systemd) => {
        await systemd.printed("READY=1\n")
        running.kill("SIGTERM")
      })
      assert.deepStrictEqual(heard.map((word) => word.replace(/\d+$/, "…")), [
        "READY=…",
        "STOPPING=1 EXTEND_TIMEOUT_USEC=…"
      ])
      const seconds = Number(/\d+$/.exec(heard[1]!)?.[0]) / 1e6
      assert.isTrue(seconds > deadlineMs / 1000 && seconds <= deadlineMs / 1000 + 2, `${seconds} s`)
    }
  )

  it("does not notify systemd that it is ready when its start-up fails", async () => {
    const heard = await told("startingFails", { systemd: true }, () => Promise.resolve())
    assert.lengthOf(heard, 1)
  })
})

describe.skipIf(noTerminal !== undefined).concurrent("runMain, in a terminal", { timeout: 60_000 }, () => {
  const interrupt = "\x03"
  const inTerminal = (mode: string, options: Options) => {
    const command = `'${process.execPath}' '${fixture("shutdown/app.ts")}' ${mode} '${JSON.stringify(options)}'`
    return start(["script", "-qfec", command, "/dev/null"], { up: "up\r\n" })
  }

  it("prints at Ctrl-C what it waits for and how to end it, and ends at a second one", async () => {
    const running = inTerminal("hang", { deadline: 20_000, preStopDelay: 10_000 })
    await running.printed("up\r\n")
    const began = performance.now()
    running.child.stdin!.write(interrupt)
    await running.printed("SIGINT: stopping, in 20 s at most. Ctrl-C ends it at once")
    await running.printed("waiting for main in Db.close")
    running.child.stdin!.write(interrupt)
    const ended = await running.ended
    assert.strictEqual(ended.code, 130)
    assert.match(ended.stdout, /a second signal: ending after .*\r\n {2}1 live fiber:\r\n {4}main: Db\.close/)
    assert.isBelow(performance.now() - began, 3000 + 2 * ended.startMs, "waited for the pre-stop delay")
  })
})
