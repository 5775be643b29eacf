// What the commands over the HTTP API share: where the server is, and what --json does.
import type { AdminClient, DEFAULT_ADMIN_URL } from '../admin/client.ts'
import type { Surroundings } from './command.ts'
import { CommandError } from './errors.ts'
import { optional, readText, toggle, type Reader } from './flags.ts'

/** Imported as a type: admin/client.ts loads an HTTP client, which help and usage errors do without. */
const DEFAULT_URL: typeof DEFAULT_ADMIN_URL = 'http://127.0.0.1:8474'

const UNREACHABLE_HINT = '; start a server with "faultline serve", or name another one with --host URL or FAULTLINE_URL'

/** Where the URL is looked up without --host; Toxiproxy's CLI has the second one. */
const URL_VARIABLES = ['FAULTLINE_URL', 'TOXIPROXY_URL']

const serverUrl: Reader<string> = {
  placeholder: 'URL',
  expected: 'an http:// or https:// URL',
  read: (given) => {
    const text = given.includes('://') ? given : `http://${given}`
    return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined
  },
}

export const apiFlags = {
  host: optional(serverUrl, {
    describe: 'The server.',
    remark: `default ${URL_VARIABLES.join(' or ')} from the environment, else ${DEFAULT_URL}`,
  }),
  json: toggle({ describe: "Prints the API's answer as JSON." }),
}

/** Calls the server that --host, or else the environment, names. @throws CommandError and whatever `call` throws */
export async function callServer<Result>(
  host: string | undefined,
  env: Surroundings['env'],
  call: (client: AdminClient) => Promise<Result>,
): Promise<Result> {
  const url = host ?? defaultUrlOf(env)
  const { AdminClient, isAdminClientError } = await import('../admin/client.ts')
  const client = new AdminClient(url)
  try {
    return await call(client)
  } catch (error) {
    if (!isAdminClientError(error)) throw error
    throw new CommandError(error.message + (error.code === 'unreachable' ? UNREACHABLE_HINT : ''), { cause: error })
  } finally {
    await client.close()
  }
}

/** The server that commands call without --host. @throws UsageError if the environment names none */
export function defaultUrlOf(env: Surroundings['env']): string {
  const variable = URL_VARIABLES.find((name) => env[name])
  return variable === undefined ? DEFAULT_URL : readText(serverUrl, env[variable] ?? '', variable)
}
