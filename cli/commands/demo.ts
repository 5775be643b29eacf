// `faultline demo`: a small service behind a proxy, and what to try with it. What `npm start` runs.
import { realpathSync } from 'node:fs'
import { relative } from 'node:path'
import { defaultUrlOf } from '../api.ts'
import { defineCommand } from '../command.ts'
import { startDemoService } from '../demo-service.ts'
import { port, withDefault } from '../flags.ts'
import type { Output } from '../output.ts'
import { runUntilSignal } from '../shutdown.ts'
import { toStartError } from '../start-error.ts'

const HOST = '127.0.0.1'
const PROXY = 'demo'

const flags = {
  port: withDefault(port, 8474, { describe: "The API's port; 0 picks a free one." }),
  'proxy-port': withDefault(port, 8470, { describe: "The proxy's port; 0 picks a free one." }),
}

export const demo = defineCommand({
  name: 'demo',
  describe: 'Runs a small HTTP service behind a proxy, and shows what to try with it.',
  arguments: {},
  flags,
  example: 'demo',
  async run(values, { out, env }) {
    const defaultUrl = defaultUrlOf(env)
    const { startAdminServer } = await import('../../admin/index.ts')
    await runUntilSignal(async () => {
      const service = await startDemoService()
      const listen = `${HOST}:${values['proxy-port']}`
      const proxies = [{ name: PROXY, listen, upstream: service.address }]
      const server = await startAdminServer({ host: HOST, port: values.port, proxies }).catch(
        async (error: unknown) => {
          await service.close()
          throw toStartError(error, {
            api: `${HOST}:${values.port}`,
            apiHint: 'choose another port with --port',
            proxies: 'the proxy, whose port --proxy-port chooses',
          })
        },
      )
      const proxy = server.network.proxy(PROXY)?.listen ?? listen
      const host = server.url === defaultUrl ? '' : ` --host ${server.url}`
      show(out, { api: server.url, proxy, service: service.address }, host)
      return {
        async close() {
          await server.close()
          await service.close()
        },
      }
    })
  },
})

interface Places {
  /** URL of the API. */
  readonly api: string
  /** `host:port` each. */
  readonly proxy: string
  readonly service: string
}

/** @param host the flag that leads the commands to the API, if they need it */
function show(out: Output, { api, proxy, service }: Places, host: string): void {
  const program = programOf(process.argv[1] ?? '', process.cwd())
  const steps = [
    ['Call the service through the proxy. Do it again after each of the others:', `curl -s http://${proxy}/`],
    [
      'Make every answer a second late:',
      `${program} toxic add ${PROXY} --type latency --attribute latency=1000${host}`,
    ],
    [
      "Make that three seconds, through the HTTP API. It is Toxiproxy's, so its clients work, too:",
      `curl -s ${api}/proxies/${PROXY}/toxics/latency_downstream -d '{"attributes":{"latency":3000}}'`,
    ],
    ['See which proxies there are, and what is wrong with them:', `${program} list${host}`],
    ['See what has been done to which connection:', `curl -s ${api}/v1/injections`],
    ['Make it well again:', `${program} toxic remove ${PROXY} --name latency_downstream${host}`],
  ] as const

  out.line(out.paint('bold', 'Faultline is running.'))
  out.line()
  out.table(
    [
      ['service', `http://${service}`, { text: 'a small HTTP service', style: 'dim' }],
      ['proxy', `http://${proxy}`, { text: 'the way to it, on which faults are injected', style: 'dim' }],
      ['API', api, { text: 'what injects them', style: 'dim' }],
    ],
    '  ',
  )
  out.line()
  out.line(out.paint('bold', 'Try, in another terminal in this folder:'))
  steps.forEach(([what, command], index) => {
    out.line()
    out.line(`  ${index + 1}. ${what}`)
    out.line(`     ${out.paint('cyan', command)}`)
  })
  out.line()
  if (program !== NPX) out.line(`Where Faultline is installed from npm, "${NPX}" stands for "${program}".`)
  out.line('Ctrl-C ends it.')
}

const NPX = 'npx faultline'

/** How to call this program from the folder that it was started in. */
function programOf(script: string, folder: string): string {
  const file = realpathSync(script)
  if (/[\\/]node_modules[\\/]/.test(file)) return NPX
  const path = relative(folder, file)
  return `node ${/^[\w./-]+$/.test(path) ? path : JSON.stringify(path)}`
}
