import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable } from "node:stream"
import { setImmediate as turn } from "node:timers/promises"
import { gzipSync } from "node:zlib"
import { readSnapshot, readStream } from "../../src/heap/readSnapshot.ts"
import type { Described } from "../support/snapshots.ts"
import { describeGraph, snapshotText } from "../support/snapshots.ts"

/** Longer than a piece of a file, also when it is compressed. */
const heap: Required<Described> = {
  nodes: [
    { type: "synthetic", name: "", id: 1, size: 0, edges: [["element", 1, 1]] },
    ...Array.from({ length: 300 }, (_, node) => ({
      type: "string",
      name: Array.from({ length: 1000 }, (_, i) => Math.imul(1000 * node + i, 0x9e37_79b1).toString(36)).join(""),
      id: 2 * node + 3,
      size: 9,
      edges: []
    }))
  ],
  locations: []
}
const text = Buffer.from(snapshotText(heap))
const packed = gzipSync(text)
const inTwoParts = Buffer.concat([gzipSync(text.subarray(0, 1000)), gzipSync(text.subarray(1000))])

const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const written = (bytes: Uint8Array | string): string => {
  const file = join(folder, `${files++}.heapsnapshot`)
  writeFileSync(file, bytes)
  return file
}

/** A stream whose pieces end at the given positions. */
const pieces = (bytes: Uint8Array, ...ends: ReadonlyArray<number>): Readable =>
  Readable.from([0, ...ends].map((start, i) => bytes.subarray(start, ends[i] ?? bytes.length)), { objectMode: false })

const refused = "cannot read the heap snapshot standard input: "

describe("readSnapshot", () => {
  it("is tried with something that has several pieces", () => assert.isAbove(packed.length, 1.1 * 2 ** 20))

  it.effect.each([["as it is", text], ["compressed", packed], ["compressed in two parts", inTwoParts]] as const)(
    "reads a file, %s",
    ([, bytes]) =>
      Effect.map(readSnapshot(written(bytes)), (graph) => assert.deepStrictEqual(describeGraph(graph), heap))
  )

  it.effect.each([["as it is", text], ["compressed", packed]] as const)(
    "reads a stream, %s",
    ([, bytes]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(describeGraph(yield* readStream(pieces(bytes), "standard input")), heap)
        assert.deepStrictEqual(describeGraph(yield* readStream(pieces(bytes, 1, 2, 3, 70_000), "standard input")), heap)
      })
  )

  it.effect("takes in what follows the snapshot, so that nothing waits to write it", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const reading = yield* Effect.forkChild(readStream(input, "standard input"))
      input.write(text)
      input.end(Buffer.alloc(1_000_000, " "))
      assert.strictEqual((yield* Fiber.join(reading)).nodes, heap.nodes.length)
      assert.strictEqual(input.readableLength, 0)
    }))

  const cases: ReadonlyArray<readonly [string, () => string, RegExp]> = [
    ["a file that does not exist", () => join(folder, "none"), /: ENOENT/],
    ["a folder", () => folder, /: it is not a regular file$/],
    ["a file of another kind", () => written("#!/bin/sh\n"), /: it is not a heap snapshot$/],
    ["an empty file", () => written(""), /: it is not a heap snapshot$/],
    ["a file of one byte", () => written("{"), /: it is not a heap snapshot$/],
    ["a file that is cut", () => written(text.subarray(0, -10)), /: its end is missing$/],
    ["a compressed file that is cut", () => written(packed.subarray(0, -100)), /: unexpected end of file$/],
    [
      "a compressed file that is damaged",
      () => written(Buffer.from(packed).fill(0xff, 1000, 1100)),
      /: (invalid|incorrect)/
    ],
    ["a compressed file of another kind", () => written(gzipSync("something")), /: it is not a heap snapshot$/]
  ]
  it.effect.each(cases)("says what is wrong with %s", ([, prepare, why]) =>
    Effect.gen(function*() {
      const file = prepare()
      const error = yield* Effect.flip(readSnapshot(file))
      assert.strictEqual(error._tag, "SnapshotError")
      assert.isTrue(error.message.startsWith(`cannot read the heap snapshot ${file}: `), error.message)
      assert.match(error.message, why)
    }))

  it.effect.skipIf(process.platform === "win32")(
    "refuses a pipe, which would have to be waited for",
    () =>
      Effect.gen(function*() {
        const pipe = join(folder, "pipe")
        execFileSync("mkfifo", [pipe])
        assert.match((yield* Effect.flip(readSnapshot(pipe))).message, /: it is not a regular file$/)
      })
  )

  it.effect.each([["as it is", Buffer.from("[1,2,3]")], ["compressed", gzipSync("[1,2,3]")]] as const)(
    "closes a stream that is no snapshot, %s",
    ([, bytes]) =>
      Effect.gen(function*() {
        const input = new PassThrough()
        const closed = new Promise((resolve) => input.once("close", resolve))
        input.write(bytes)
        const error = yield* Effect.flip(readStream(input, "standard input"))
        assert.strictEqual(error.message, `${refused}it is not a heap snapshot`)
        yield* Effect.promise(() => closed)
      })
  )

  it.effect.each([["before it starts", 0], ["while it is read", 1000]] as const)(
    "reports a stream that fails, %s",
    ([, bytes]) =>
      Effect.gen(function*() {
        const input = new PassThrough()
        input.write(text.subarray(0, bytes))
        const reading = yield* Effect.forkChild(Effect.flip(readStream(input, "standard input")))
        yield* Effect.promise(() => turn())
        input.destroy(new Error("the disk is gone"))
        assert.strictEqual((yield* Fiber.join(reading)).message, `${refused}the disk is gone`)
      })
  )

  it.effect("reports a stream that is closed before its end", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const reading = yield* Effect.forkChild(Effect.flip(readStream(input, "standard input")))
      yield* Effect.promise(() => turn())
      input.destroy()
      assert.match((yield* Fiber.join(reading)).message, /^cannot read the heap snapshot standard input: /)
    }))

  it.effect("closes a stream when it is interrupted, even if nothing comes", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const reading = yield* Effect.forkChild(readStream(input, "standard input"))
      yield* Effect.promise(() => turn())
      yield* Fiber.interrupt(reading)
      assert.isTrue(input.destroyed)
    }))

  const descriptors = "/proc/self/fd"
  it.effect.skipIf(!existsSync(descriptors))("closes the file when it is interrupted", () =>
    Effect.gen(function*() {
      const file = written(Buffer.alloc(30 << 20, " "))
      const isOpen = (): boolean =>
        readdirSync(descriptors).some((one) => {
          try {
            return readlinkSync(join(descriptors, one)) === file
          } catch {
            // The descriptor by which the folder was read.
            return false
          }
        })
      const reading = yield* Effect.forkChild(readSnapshot(file))
      while (!isOpen()) yield* Effect.promise(() => turn())
      yield* Fiber.interrupt(reading)
      assert.isFalse(isOpen())
    }))
})
