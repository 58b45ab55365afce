/**
 * The programs of the field suite: each was written by somebody else and is published on npm, in a version that is pinned here. What is
 * true of each was found in its source and counted by the witness, without Fiberscope.
 */
import { join } from "node:path"
import { lalph, readmeBot } from "./prepare.ts"
import type { Folder, Program, Running } from "./Program.ts"
import { ask, asked, collector, discord, rpc, steps } from "./traffic.ts"

/** The documentation in effect's own package: programs in TypeScript, which node runs when they are not below `node_modules`. */
const docs = "effect/ai-docs/src"

const node = (...args: ReadonlyArray<string>) => (): readonly [string, ...Array<string>] => ["node", ...args]
const bin = (name: string, ...args: ReadonlyArray<string>) => (folder: string): readonly [string, ...Array<string>] => [
  join(folder, "node_modules", ".bin", name),
  ...args
]

/** A bundle has no package of effect beside it: the report says where effect was found, or what effect says of itself. */
const bundled = /^dev$|^the first fiber that ran$|\.m?js$/

const token = { authorization: "Bearer dev-token" }

/** The HTTP server of effect's documentation, with the users in memory that it has for tests: the SQLite of the other is no npm package of ours. */
const users = ({ copy }: Folder): void =>
  copy(docs, "src", {
    "51_http-server/10_basics.ts": [["{ port: 3000 }", `{ host: "127.0.0.1", port: Number(process.env.PORT) }`]],
    "51_http-server/fixtures/server/Users/http.ts": [[
      "[Users.layer, AuthorizationLayer]",
      "[Users.layerMemory, AuthorizationLayer]"
    ]],
    "51_http-server/fixtures/server/Users.ts": [
      [
        `import { SqliteClient, SqliteMigrator } from "@effect/sql-sqlite-node"`,
        "const [SqliteClient, SqliteMigrator] = [{ layer: () => Layer.empty }, { layer: () => Layer.empty, fromRecord: () => 0 }] as any"
      ]
    ]
  })

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
    clientInfo: { name: "field", title: "The field suite", version: "1.0.0" }
  }
}

/** A client that opens a session, calls a tool, and goes away, with or without ending its session. */
const session = async (running: Running, i: number, end: boolean): Promise<void> => {
  const accept = { accept: "application/json, text/event-stream" }
  const opened = await ask(running, "POST", "/mcp", { body: initialize, headers: accept })
  const id = opened.headers.get("mcp-session-id") ?? ""
  const headers = { ...accept, "mcp-session-id": id, "mcp-protocol-version": "2025-06-18" }
  const notified = await ask(running, "POST", "/mcp", {
    body: { jsonrpc: "2.0", method: "notifications/initialized" },
    headers
  })
  const called = await ask(running, "POST", "/mcp", {
    body: { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "double", arguments: { n: i } } },
    headers
  })
  const deleted = end ? await ask(running, "DELETE", "/mcp", { headers }) : undefined
  running.record(
    `session ${i}`,
    [opened, notified, called, ...deleted === undefined ? [] : [deleted]].map(({ body, status }) => `${status} ${body}`)
      .join(" ")
  )
}

const mcp = (end: boolean) => async (running: Running): Promise<void> => {
  await running.pace(steps(running, 40), 40, (i) => session(running, i, end))
}

export const programs: ReadonlyArray<Program> = [
  {
    name: "http-api",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "node, TypeScript",
    driven: "the HttpApi server of effect's documentation: 25 requests a second that read, search and fail, over HTTP",
    prepare: users,
    start: node("src/51_http-server/10_basics.ts"),
    ready: "port",
    traffic: async (running) => {
      const requests = [
        ["GET", "/health"],
        ["GET", "/users/me"],
        ["GET", "/users/bf3dbe33-0ad2-4c9c-9c9e-733e57bdcbee"],
        ["GET", "/openapi.json"],
        ["GET", "/nothing-here"]
      ] as const
      await running.pace(steps(running, 25), 25, async (i) => {
        const [method, path] = requests[i % requests.length]!
        await asked(running, method, path, i % 7 === 0 ? {} : { headers: token })
      })
    },
    end: "SIGTERM",
    truth: {
      verdicts: ["ok"],
      why: "handlers keep nothing between requests; the fibers of requests end with them",
      steady: ["FiberImpl", 20]
    }
  },
  {
    name: "users-in-memory",
    packages: ["effect@4.0.5", "@effect/platform-node@4.0.5", "tsx@4.23.15"],
    overrides: { "@effect/platform-node-shared": "4.0.5" },
    effect: "4.0.5",
    style: "tsx",
    driven: "the same server of effect 4.0.5: 40 users are created a second, over HTTP",
    prepare: users,
    start: bin("tsx", "src/51_http-server/10_basics.ts"),
    ready: "port",
    traffic: async (running) => {
      await running.pace(steps(running, 40), 40, async (i) => {
        await asked(running, "POST", "/users", {
          body: { name: `Somebody ${i}`, email: `somebody-${i}@example.com` },
          headers: token
        })
      })
    },
    end: "SIGTERM",
    truth: {
      verdicts: ["leak"],
      why: "`Users.layerMemory` puts each user into a Map and has no way to remove one",
      named: /create|layerMemory|Users|User\b/,
      bytesPerSecond: 14_000,
      grows: ["User", 300]
    }
  },
  {
    name: "todo-hono",
    packages: ["effect@4.1.0", "hono@4.13.13", "@hono/node-server@2.1.9"],
    effect: "4.1.0",
    style: "npm start",
    driven:
      "the ManagedRuntime below Hono of effect's documentation: one todo is created, and read 25 times a second, over HTTP",
    prepare: ({ copy, start, write }) => {
      copy(docs, "src")
      start("todo-hono.mjs")
      write("package.json", JSON.stringify({ private: true, type: "module", scripts: { start: "node todo-hono.mjs" } }))
    },
    start: () => ["npm", "start", "--silent"],
    ready: "port",
    traffic: async (running) => {
      await asked(running, "POST", "/todos", { body: { title: "the only one" } })
      await running.pace(steps(running, 25), 25, async (i) => {
        await asked(running, "GET", i % 3 === 0 ? "/todos" : `/todos/${i % 3}`)
      })
    },
    end: "SIGTERM",
    truth: {
      verdicts: ["ok"],
      why: "one todo is kept, and a request runs one effect that ends",
      steady: ["FiberImpl", 20]
    }
  },
  {
    name: "mcp-http",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "node",
    driven: "`McpServer.layerHttp`: 40 clients a second open a session, call a tool and go away without DELETE",
    prepare: ({ start }) => start("mcp-http.mjs"),
    start: node("mcp-http.mjs"),
    ready: "port",
    traffic: mcp(false),
    end: "SIGTERM",
    truth: {
      verdicts: ["leak"],
      why:
        "`bySessionId` of `ai/internal/mcpStatefulRuntime.ts` keeps each session until a DELETE; nothing makes one expire",
      // A session keeps its decoded payload, and every request is decoded at the same place.
      named: /mcp|Mcp|[sS]ession|initialize|layerHttp|RpcServer/,
      bytesPerSecond: 23_000,
      grows: ["ClientCapabilities", 300]
    }
  },
  {
    name: "mcp-http-delete",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "node",
    driven: "the same server, whose clients end their sessions with DELETE",
    prepare: ({ start }) => start("mcp-http.mjs"),
    start: node("mcp-http.mjs"),
    ready: "port",
    traffic: mcp(true),
    end: "SIGTERM",
    truth: {
      verdicts: ["ok"],
      why: "DELETE removes the session from `bySessionId`",
      steady: ["FiberImpl", 20]
    }
  },
  {
    name: "cluster",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "node",
    driven: "the entities of effect's documentation in the cluster for one process: 1 200 requests to 20 entities",
    prepare: ({ copy, start }) => {
      copy(docs, "src", {
        "80_cluster/10_entities.ts": [
          [
            "declare const SqlClientLayer: Layer.Layer<SqlClient.SqlClient>",
            "const SqlClientLayer: Layer.Layer<SqlClient.SqlClient> = Layer.empty as never"
          ],
          ["Layer.launch(ProductionLayer).pipe(\n  NodeRuntime.runMain\n)", ""]
        ]
      })
      start("cluster.mjs")
    },
    start: node("cluster.mjs"),
    ready: /request 0/,
    end: "SIGINT",
    timed: /^request \d+/,
    truth: {
      verdicts: ["ok"],
      why: "20 entities stay, and a request that is not persisted is forgotten when it is answered",
      steady: ["FiberImpl", 20]
    }
  },
  {
    name: "otlp",
    packages: ["effect@4.0.0-rc.112", "@effect/platform-node@4.0.0-rc.112", "esbuild@0.28.2"],
    overrides: { "@effect/platform-node-shared": "4.0.0-rc.112" },
    effect: "4.0.0-rc.112",
    effectInReport: bundled,
    style: "minified bundle",
    driven:
      "the OTLP tracing of effect's documentation: 1 200 orders, two at a time, exported to a collector on loopback",
    prepare: ({ copy, run, path }) => {
      copy(docs, "src", {
        "08_observability/20_otlp-tracing.ts": [
          [`"http://localhost:4318/v1/traces"`, "`${process.env.COLLECTOR}/v1/traces`"],
          [`"http://localhost:4318/v1/logs"`, "`${process.env.COLLECTOR}/v1/logs`"],
          [
            `yield* checkout.processCheckout("ord_123")`,
            `yield* Effect.forEach(Array.from({ length: 1200 }, (_, i) => i), (i) => checkout.processCheckout("ord_" + i), { concurrency: 2, discard: true })`
          ]
        ]
      })
      run(
        join(path, "node_modules", ".bin", "esbuild"),
        "src/08_observability/20_otlp-tracing.ts",
        "--bundle",
        "--minify",
        "--sourcemap",
        "--platform=node",
        "--format=esm",
        "--outfile=otlp.mjs",
        "--log-level=error",
        "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
      )
    },
    start: node("otlp.mjs"),
    peer: collector,
    end: "SIGTERM",
    timed: /order|checkout/,
    truth: {
      verdicts: ["ok"],
      why: "the exporters hold what they have not sent yet, and send it every few seconds"
    }
  },
  {
    name: "background-task",
    packages: ["effect@4.0.0", "@effect/platform-node@4.0.0"],
    overrides: { "@effect/platform-node-shared": "4.0.0" },
    effect: "4.0.0",
    style: "node, TypeScript",
    driven: "the background task of effect's documentation: it logs every five seconds; Ctrl-C ends it",
    prepare: ({ copy }) => copy(docs, "src"),
    start: node("src/01_effect/05_resources/20_layer-side-effects.ts"),
    ready: /Starting/,
    end: "SIGINT",
    timed: /Background task running/,
    truth: {
      verdicts: ["ok"],
      why: "one fiber that sleeps and logs",
      steady: ["FiberImpl", 5]
    }
  },
  {
    name: "child-processes",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "node, with children",
    driven: "the child processes of effect's documentation: 80 times `node --version`, two a second",
    prepare: ({ copy, start }) => {
      copy(docs, "src")
      start("child-processes.mjs")
    },
    start: node("child-processes.mjs"),
    ready: /node=/,
    end: "SIGINT",
    timed: /node=/,
    truth: {
      verdicts: ["ok"],
      why: "each child ends, and its scope is closed",
      steady: ["FiberImpl", 20]
    }
  },
  {
    name: "tenant-pools",
    packages: ["effect@4.1.0"],
    effect: "4.1.0",
    style: "worker",
    driven:
      "the LayerMap of effect's documentation in a worker: 20 new tenants a second, whose pools live for a minute after that",
    prepare: ({ copy, start }) => {
      copy(docs, "src")
      start("tenant-pools.mjs")
      start("tenant-pools.worker.mjs")
    },
    start: node("tenant-pools.mjs"),
    ready: /admin@/,
    end: "SIGTERM",
    timed: /admin@|Closing tenant/,
    truth: {
      verdicts: ["undecided", "ok"],
      why:
        "`idleTimeToLive` is a minute: nothing can be released in a run of 60 s, and after a minute as many pools go as come"
    }
  },
  {
    name: "tasks-cli",
    packages: ["effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.1.0",
    style: "shell, with children",
    driven: "the command line of effect's documentation: started eight times in a row, with good and bad arguments",
    prepare: ({ copy, write }) => {
      copy(docs, "src")
      const tasks = "node src/70_cli/10_basics.ts"
      write(
        "tasks.sh",
        [
          "list --json",
          "create one",
          "create two --priority high --assignee dev@acme.com",
          "create three --priority no-such-thing",
          "ls -v",
          "--help",
          "list --status done",
          "no-such-command"
        ].map((line) => `${tasks} ${line}; echo "exit code $?"\n`).join("")
      )
    },
    start: () => ["sh", "tasks.sh"],
    end: "itself",
    truth: { verdicts: ["undecided"], why: "each process ends within a second, which is too short to tell anything" }
  },
  {
    name: "openapigen",
    packages: [
      "@effect/openapi-generator@4.0.0-beta.107",
      "effect@4.0.0-beta.107",
      "@effect/platform-node@4.0.0-beta.107"
    ],
    overrides: { "@effect/platform-node-shared": "4.0.0-beta.107" },
    effect: "4.0.0-beta.107",
    style: "bin",
    driven: "`openapigen`: a client is generated from a specification of three operations",
    prepare: ({ write }) => write("openapi.json", JSON.stringify(specification)),
    start: bin("openapigen", "--spec", "openapi.json", "--name", "Pets"),
    end: "itself",
    truth: { verdicts: ["undecided"], why: "it ends within two seconds, which is too short to tell anything" }
  },
  {
    name: "lalph",
    packages: ["lalph@0.3.139"],
    effect: "4.0.0-beta.94",
    effectInReport: bundled,
    style: "bin, bundle, with children",
    driven:
      "`lalph`: its loop over a specification in a git repository, with shell scripts in place of the agent and of `gh`; Ctrl-C ends it",
    prepare: lalph,
    start: bin("lalph"),
    cwd: "work",
    ready: /Executing/,
    end: "SIGINT",
    timed: /./,
    truth: {
      verdicts: ["leak"],
      why:
        "the log of workers (`activeWorkerLoggingAtom` in `Workers.ts`) opens a stream of the state of each iteration, and effect keeps the subscription when the stream has ended: one atom and two states stay of each",
      named: /[wW]orker|Atom|stream|subscribe/,
      bytesPerSecond: 4000,
      grows: ["WorkerState", 20]
    }
  },
  {
    name: "expect-mcp",
    packages: ["expect-cli@0.1.3"],
    // Only its other command needs these, and they weigh 500 MB.
    overrides: {
      "@github/copilot": "npm:ms@2.1.3",
      "@google/gemini-cli": "npm:ms@2.1.3",
      "@zed-industries/codex-acp": "npm:ms@2.1.3"
    },
    effect: "4.0.0-beta.35",
    style: "bin, stdio",
    driven:
      "`expect-mcp`: an MCP server over its input and output; ten calls of tools a second, of which all say that there is no browser",
    start: bin("expect-mcp"),
    traffic: async (running) => {
      const { call, notify } = rpc(running)
      running.record("initialize", await call("initialize", initialize.params))
      notify("notifications/initialized")
      running.record("tools/list", await call("tools/list", {}))
      await running.pace(steps(running, 10), 10, async (i) => {
        const name = ["screenshot", "console_logs", "network_requests", "performance_metrics", "close"][i % 5]!
        running.record(`tools/call ${name}`, await call("tools/call", { name, arguments: {} }))
      })
    },
    end: "SIGTERM",
    truth: { verdicts: ["ok"], why: "a call runs one effect that ends" }
  },
  {
    name: "dfx-bot",
    packages: ["dfx@1.0.13", "effect@4.0.0-beta.57", "@effect/platform-node@4.0.0-beta.57"],
    overrides: { "@effect/platform-node-shared": "4.0.0-beta.64", effect: "4.0.0-beta.57" },
    effect: "4.0.0-beta.57",
    style: "node, TypeScript",
    driven:
      "the bot of dfx's README: 40 interactions a second come through the gateway of a Discord on loopback, and are answered over HTTP",
    prepare: (folder) => folder.write("bot.ts", readmeBot(folder)),
    start: node("bot.ts"),
    peer: discord,
    end: "SIGTERM",
    truth: {
      verdicts: ["leak"],
      why:
        "the rate limits' memory store (`RateLimit/memory.ts`) keeps a route for each answer, with the token of the interaction in it, where the answer has headers of rate limits",
      named: /[rR]oute|[bB]ucket|RateLimit|memory/,
      bytesPerSecond: 12_000
    }
  },
  {
    name: "vitest",
    packages: ["effect@4.0.5", "@effect/vitest@4.0.5", "vitest@5.1.1"],
    effect: "4.0.5",
    style: "bin, with workers",
    driven: "the tests of effect's documentation under vitest",
    prepare: ({ copy, write }) => {
      copy(`${docs}/09_testing`, "tests")
      write("vitest.config.mjs", `export default { test: { include: ["tests/*.ts"] } }\n`)
    },
    start: bin("vitest", "run", "--reporter=verbose"),
    end: "itself",
    // How long it took, and advice that depends on that.
    ignored: /^ +(Duration|Isolate|at least) /,
    truth: {
      verdicts: ["ok", "undecided"],
      why:
        "each test joins what it forks, or ends it with its scope; the files run for a second, which tells nothing of memory"
    }
  },
  {
    name: "language-service",
    packages: ["@effect/language-service@0.87.2", "typescript@5.9.3", "effect@4.1.0", "@effect/platform-node@4.1.0"],
    effect: "4.0.0-beta.104",
    effectInReport: bundled,
    style: "bin, CommonJS bundle",
    driven: "`effect-language-service diagnostics` over the HTTP server of effect's documentation",
    prepare: ({ copy, write }) => {
      copy(`${docs}/51_http-server`, "http")
      write(
        "tsconfig.json",
        JSON.stringify({
          compilerOptions: {
            module: "nodenext",
            target: "es2022",
            strict: true,
            noEmit: true,
            allowImportingTsExtensions: true,
            plugins: [{ name: "@effect/language-service" }]
          },
          include: ["http"]
        })
      )
    },
    start: bin("effect-language-service", "diagnostics", "--project", "tsconfig.json"),
    end: "itself",
    truth: { verdicts: ["undecided"], why: "it ends within seconds, which is too short to tell anything" }
  }
]

const specification = {
  openapi: "3.1.0",
  info: { title: "Pets", version: "1.0.0" },
  paths: Object.fromEntries(["/pets", "/owners", "/visits"].map((path) => [path, {
    get: {
      operationId: `list${path.slice(1)}`,
      parameters: [{ name: "limit", in: "query", schema: { type: "integer" } }],
      responses: {
        200: {
          description: "all",
          content: { "application/json": { schema: { type: "array", items: { $ref: "#/components/schemas/Pet" } } } }
        }
      }
    }
  }])),
  components: {
    schemas: {
      Pet: { type: "object", required: ["id"], properties: { id: { type: "string" }, age: { type: "number" } } }
    }
  }
}
