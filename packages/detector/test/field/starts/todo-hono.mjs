// Serves the Hono app of effect's documentation, which exports it and does not serve it.
import { serve } from "@hono/node-server"
import process from "node:process"
import { app } from "./src/04_integration/10_managed-runtime.ts"

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT) })
process.once("SIGTERM", () => server.close())
