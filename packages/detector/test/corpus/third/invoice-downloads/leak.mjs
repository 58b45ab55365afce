// invoices over http, gzipped on the fly
// BUG: a download is taken off the list on "finish", which never comes when the customer closes the tab
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { createServer, get } from "node:http"
import { constants, createGzip } from "node:zlib"
import "../../support/life.ts"

const page = randomBytes(6000).toString("hex")
const downloads = new Map()
let serial = 0

function startDownload(res) {
  const id = ++serial
  const gzip = createGzip({ level: 1, memLevel: 8, flush: constants.Z_SYNC_FLUSH })
  downloads.set(id, { gzip, since: new Date() })
  res.writeHead(200, { "content-type": "application/pdf", "content-encoding": "gzip" })
  gzip.pipe(res)
  res.on("finish", () => {
    downloads.delete(id)
    gzip.destroy()
  })
  return gzip
}

const writePages = (gzip, pages) =>
  Effect.runPromise(
    Effect.forEach(
      Array.from({ length: pages }),
      () => Effect.sleep(15).pipe(Effect.andThen(Effect.sync(() => gzip.destroyed || gzip.write(page)))),
      { discard: true }
    )
  ).then(() => gzip.destroyed || gzip.end())

const server = createServer((req, res) => {
  if (req.url === "/status") return void res.end(String(serial))
  void writePages(startDownload(res), 4)
})

const visit = (port) => {
  get({ port, path: "/status", agent: false }, (res) => res.resume())
  setTimeout(visit, 12, port)
}

const customer = (port) => {
  const impatient = Math.random() < 0.4
  const req = get({ port, path: "/invoice.pdf", agent: false }, (res) => {
    if (impatient) res.once("data", () => req.destroy())
    res.resume()
    res.on("error", () => {})
  })
  req.on("error", () => {})
  setTimeout(customer, 120, port)
}

server.listen(0, () => {
  visit(server.address().port)
  customer(server.address().port)
})
