// `faultline demo`: an application that takes orders, with Faultline between it and its services. What `npm start` runs.
import { realpathSync } from 'node:fs'
import { relative } from 'node:path'
import { defaultUrlOf } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { World } from '../demo/world.ts'
import { CommandError } from '../errors.ts'
import { port, toggle, withDefault } from '../flags.ts'
import type { Output } from '../output.ts'
import { runUntilSignal } from '../shutdown.ts'

/** Of every random choice of the script, so that it plays the same each time. */
const SCRIPT_SEED = 7

const flags = {
  script: toggle({
    describe: 'Plays five situations by itself, in half a minute at most, checks what is seen, and ends.',
  }),
  'http-only': toggle({ describe: 'Runs without Postgres, with the HTTP service alone.' }),
  port: withDefault(port, 8474, { describe: "The API's port; 0 picks a free one." }),
  'proxy-port': withDefault(port, 8470, { describe: "The port of the HTTP service's proxy; 0 picks a free one." }),
  'database-port': withDefault(port, 8471, { describe: "The port of Postgres' proxy; 0 picks a free one." }),
}

export const demo = defineCommand({
  name: 'demo',
  describe: 'Runs a small application behind Faultline, shows how it fares, and what to break.',
  arguments: {},
  flags,
  example: 'demo --script',
  async run(values, { out, env }) {
    const defaultUrl = defaultUrlOf(env)
    const { startWorld } = await import('../demo/world.ts')
    const start = (): Promise<World> =>
      startWorld({
        apiPort: values.port,
        paymentsPort: values['proxy-port'],
        databasePort: values['database-port'],
        withDatabase: !values['http-only'],
        ...(values.script && { seed: SCRIPT_SEED }),
      })
    const commandsOf = (world: World): Commands => ({
      program: programOf(process.argv[1] ?? '', process.cwd()),
      host: world.api === defaultUrl ? '' : ` --host ${world.api}`,
    })
    if (values.script) {
      const world = await start()
      try {
        await script(world, out, commandsOf(world))
      } finally {
        await world.close()
      }
      return
    }
    const { showLive } = await import('../demo/live.ts')
    await runUntilSignal(async () => {
      const world = await start()
      for (const line of introduction(world, out, commandsOf(world))) out.line(line)
      const live = showLive(world, out)
      return {
        async close() {
          await live.end()
          await world.close()
        },
      }
    })
  },
})

/** How to call this program. */
interface Commands {
  readonly program: string
  /** The flag that leads commands to the API, if they need it. */
  readonly host: string
}

/** @throws CommandError if something was not as told */
async function script(world: World, out: Output, { program }: Commands): Promise<void> {
  const { playScript } = await import('../demo/script.ts')
  out.line('A shop takes orders: each is paid over HTTP and stored in Postgres, both through Faultline.')
  out.line()
  const wrong = await playScript(world, out, program)
  if (wrong.length > 0) throw new CommandError(`not as told:\n${wrong.map((line) => `  ${line}`).join('\n')}`)
  out.line('All was as told.')
}

function introduction(world: World, out: Output, { program, host }: Commands): string[] {
  const { api, payments, database } = world
  const hasDatabase = 'proxy' in database
  const places = [
    ['payments', `http://${payments.proxy}`, { text: `for http://${payments.service}`, style: 'dim' }],
    ...(hasDatabase
      ? [['orders-db', `postgres://${database.proxy}`, { text: `for ${database.service}`, style: 'dim' }] as const]
      : []),
    ['API', api, { text: 'what breaks them', style: 'dim' }],
  ] as const
  const steps = [
    ['Payments is 300 ms late:', `${program} fault add payments latency latency=300${host}`],
    [
      "700 ms, through the HTTP API. It is Toxiproxy's, so its clients work, too:",
      `curl -s ${api}/proxies/payments/toxics/latency_downstream -d '{"attributes":{"latency":700}}'`,
    ],
    ['Every second payment fails:', `${program} fault add payments http_abort --every 2${host}`],
    ...(hasDatabase
      ? [
          [
            'One commit in five cannot be serialized:',
            `${program} fault add orders-db pg_error code=40001 at=commit --probability 0.2${host}`,
          ] as const,
        ]
      : []),
    ['The network is cut:', `${program} partition add shop / payments${hasDatabase ? ',db' : ''}${host}`],
    ['What has been done to whom:', `curl -s '${api}/v1/injections?limit=3'`],
    ['All is well again:', `${program} heal${host}`],
  ] as const
  return [
    out.paint('bold', 'A shop takes orders, through Faultline.'),
    ...out.tableLines(places).map((line) => `  ${line}`),
    ...(hasDatabase ? [] : [`  There is no Postgres, as ${database.missing}.`]),
    '',
    out.paint('bold', 'Try, in another terminal in this folder:'),
    ...steps.flatMap(([what, command]) => [`  ${what}`, `     ${out.paint('cyan', command)}`]),
    '',
    ...(program === NPX ? [] : [`Where Faultline is installed from npm, "${NPX}" stands for "${program}".`]),
    'Ctrl-C ends it.',
    '',
  ]
}

const NPX = 'npx faultline'

/** How to call this program from the folder that it was started in. */
function programOf(script: string, folder: string): string {
  const file = realpathSync(script)
  if (/[\\/]node_modules[\\/]/.test(file)) return NPX
  const path = relative(folder, file)
  return `node ${/^[\w./-]+$/.test(path) ? path : JSON.stringify(path)}`
}
