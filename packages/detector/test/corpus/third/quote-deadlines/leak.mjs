// Insurance quotes. The insurer has a quarter of an hour to answer, and takes a few milliseconds.
// Leak: nobody clears the timer of the deadline, which keeps the application it was set for until it strikes.
import { Effect } from "effect"
import { createServer, request as call } from "node:http"
import { text } from "node:stream/consumers"
import { jitter } from "../../support/life.ts"

class Overdue extends Error {}

function withDeadline(promise, application) {
  let timer
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Overdue(`${application.person} waited for a quarter of an hour`)), 900_000)
    timer.unref()
  })
  return Promise.race([promise, deadline])
}

const insurer = async (application) => {
  await new Promise((resolve) => setTimeout(resolve, 5))
  return application.answers.filter(({ yes }) => yes).length * 12.5
}

const quote = (application) =>
  Effect.tryPromise(() => withDeadline(insurer(application), application)).pipe(Effect.orElseSucceed(() => 0))

const server = createServer(async (request, response) => {
  const application = JSON.parse(await text(request))
  response.end(String(application.renewal ? application.premium : await Effect.runPromise(quote(application))))
})

let people = 0
const apply = (port) => {
  const answers = Array.from({ length: 55 }, (_, n) => ({ question: n, yes: Math.random() < 0.2 }))
  call({ port, method: "POST" }, (response) => response.resume()).end(
    JSON.stringify({ person: `person ${++people}`, renewal: people % 2 === 0, premium: 40, answers })
  )
  setTimeout(apply, jitter(12), port)
}

server.listen(0, () => apply(server.address().port))
