// Reads the lines of an access log and keeps the referrer of each visit for a report.
// The twin of leak.mjs: it keeps copies of the newest 200.
import { Effect, Stream } from "effect"
import { jitter } from "../../support/life.ts"

const referrers = []

const readLine = (n) => {
  const headers = Array.from({ length: 40 }, (_, h) => `x-header-${h}=${Math.random().toString(36).repeat(2)}`).join(
    "; "
  )
  return Buffer.from(`GET /page/${n} referrer=https://partner-${n % 97}.example/campaign/${n} ${headers}`).toString(
    "latin1"
  )
}

const referrerOf = (line) => {
  const from = line.indexOf("referrer=") + 9
  return line.slice(from, line.indexOf(" ", from))
}

const remember = (referrer) => {
  referrers.push(Buffer.from(referrer).toString())
  if (referrers.length > 200) referrers.shift()
}

const lines = Stream.iterate(1, (n) => n + 1).pipe(
  Stream.rechunk(1),
  Stream.mapEffect((n) => Effect.delay(Effect.sync(() => readLine(n)), jitter(10)))
)

Effect.runFork(Stream.runForEach(lines, (line) => Effect.sync(() => remember(referrerOf(line)))))
