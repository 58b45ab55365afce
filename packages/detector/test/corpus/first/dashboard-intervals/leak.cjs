// Dashboards subscribe to numbers that are computed once a second from a window of measurements of their own.
// Leak: when a dashboard is left its entry is deleted, but the interval goes on and keeps the window.
const { Effect } = require("effect")
const { jitter } = require("../../support/life.ts")

const dashboards = new Map()

function openDashboard(id) {
  const window = Array.from({ length: 600 }, () => Math.random())
  const refresh = () => {
    window.push(Math.random())
    window.shift()
    return window.reduce((a, b) => a + b, 0)
  }
  const dashboard = { id, timer: setInterval(refresh, 1000) }
  dashboards.set(id, dashboard)
  return dashboard
}

function closeDashboard(dashboard) {
  dashboards.delete(dashboard.id)
}

const visit = (id) =>
  Effect.gen(function*() {
    const dashboard = openDashboard(id)
    yield* Effect.sleep(jitter(500))
    closeDashboard(dashboard)
  })

const program = Effect.gen(function*() {
  for (let id = 1;; id++) {
    Effect.runFork(visit(id))
    yield* Effect.sleep(jitter(50))
  }
})

Effect.runFork(program)
