/**
 * Calls are transcribed sentence by sentence; a supervisor's screen shows the last words of each line.
 *
 * Leak: the transcript of a line is a string that is only ever added to. It was meant to be cut when a call ends.
 */
import { Effect, HashMap, Ref, Schedule } from "effect"
import "../../support/life.ts"

const words = "the customer says that it does not work since yesterday and would like to have it back again".split(" ")
const anyWord = () => words[Math.floor(Math.random() * words.length)]!

const sentence = () => {
  let text = ""
  for (let i = 0; i < 16; i++) text += anyWord() + (i % 9 === 8 ? ". " : " ")
  return text
}

const program = Effect.gen(function*() {
  const transcripts = yield* Ref.make(HashMap.empty<string, string>())

  const transcribe = (line: string) =>
    Ref.update(transcripts, (all) => {
      const before = HashMap.get(all, line)
      return HashMap.set(all, line, (before._tag === "Some" ? before.value : "") + sentence())
    })

  const hangUp = (line: string) =>
    Ref.update(transcripts, (all) => HashMap.modify(all, line, (text) => text + "\n-- end of call --\n"))

  const screen = Effect.map(Ref.get(transcripts), (all) => HashMap.size(all))

  yield* Effect.suspend(() => {
    const line = `line ${Math.floor(Math.random() * 8)}`
    return Effect.gen(function*() {
      yield* Effect.sleep("3 millis")
      yield* transcribe(line)
      if (Math.random() < 0.05) yield* hangUp(line)
      yield* screen
    })
  }).pipe(Effect.repeat(Schedule.spaced("12 millis")))
})

Effect.runFork(program)
