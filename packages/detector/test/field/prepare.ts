/** Prepares two programs that need more than a start: a git repository with a specification, and the bot of a README. */
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { edited } from "./install.ts"
import type { Folder } from "./Program.ts"

const agent = `#!/bin/sh
mkdir -p .lalph
echo "task" > .lalph/task.md
echo "thinking"
sleep 0.3
echo "done"
`

const github = `#!/bin/sh
case "$*" in
  *nameWithOwner*) echo "somebody/something" ;;
  *) exit 1 ;;
esac
`

const settings = {
  "settings.issueSource": "github",
  "settings.cliAgentPresets": [
    { id: "default", cliAgent: "codex", commandPrefix: [], extraArgs: [], sourceMetadata: {} }
  ],
  "settings.projects": [{
    id: "main",
    enabled: true,
    targetBranch: { _tag: "None" },
    concurrency: 1,
    gitFlow: "ralph",
    ralphSpec: "spec.md",
    researchAgent: false,
    reviewAgent: false
  }],
  "github.accessToken": { token: "none" }
}

/** A git repository that lalph works on, and shell scripts that stand for the agent and for `gh`. */
export const lalph = ({ path, run, write }: Folder): void => {
  for (const folder of ["work", "tmp"]) {
    rmSync(join(path, folder), { recursive: true, force: true })
    mkdirSync(join(path, folder))
  }
  write("bin/codex", agent, 0o755)
  write("bin/gh", github, 0o755)
  write("work/spec.md", "# One thing to do\n")
  write("work/.gitignore", ".lalph/\n")
  write("work/scripts/worktree-setup.sh", "#!/bin/sh\nexit 0\n", 0o755)
  for (const [name, value] of Object.entries(settings)) write(`work/.lalph/config/${name}`, JSON.stringify(value))
  const git = (...args: ReadonlyArray<string>) =>
    run("git", "-C", "work", "-c", "user.name=field", "-c", "user.email=field@example.com", ...args)
  git("init", "--quiet", "--initial-branch=main")
  git("add", "--all")
  git("commit", "--quiet", "--message=first")
}

/** The bot of dfx's README, which speaks to the Discord of the environment. */
export const readmeBot = ({ path }: Folder): string => {
  const readme = readFileSync(join(path, "node_modules", "dfx", "README.md"), "utf8")
  const [, example] = /```typescript\n([\s\S]*?)```/.exec(readme) ?? []
  if (example === undefined) throw new Error("there is no example in the README of dfx")
  return edited(example, [
    [
      `token: Config.redacted("DISCORD_BOT_TOKEN"),`,
      `token: Config.redacted("DISCORD_BOT_TOKEN"), rest: { baseUrl: Config.string("DISCORD") },`
    ],
    // Its first connection goes to Discord itself, whatever the API says.
    [
      "NodeSocket.layerWebSocketConstructor",
      `Layer.succeed(Socket.WebSocketConstructor, (url) =>
        new WebSocket(url.replace("wss://gateway.discord.gg", process.env.DISCORD.replace("http", "ws"))))`
    ],
    [`import { Config,`, `import { Socket } from "effect/unstable/socket"\nimport { Config,`]
  ])
}
