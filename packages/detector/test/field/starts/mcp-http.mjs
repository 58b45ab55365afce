// An MCP server of one tool, made of nothing but what the `effect` package offers for that.
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import process from "node:process"

const tools = Toolkit.make(Tool.make("double", {
  description: "Doubles a number",
  parameters: Schema.Struct({ n: Schema.Finite }),
  success: Schema.Finite
}))

const server = McpServer.layerHttp({
  name: "doubling",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2025_06_18],
  allowSessionTermination: true,
  registrations: McpServer.toolkit(tools).pipe(
    Layer.provide(tools.toLayer({ double: ({ n }) => Effect.succeed(2 * n) }))
  )
})

HttpRouter.serve(server).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: Number(process.env.PORT) })),
  Layer.launch,
  NodeRuntime.runMain
)
