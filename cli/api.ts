// What the commands over the HTTP API share: where the server is, who they are, what --json does, what failing means.
import { readFile } from 'node:fs/promises'
import type { AdminClient, AdminClientOptions, DEFAULT_ADMIN_URL } from '../admin/client.ts'
import type { V1Client } from '../admin/client/v1-client.ts'
import type { Surroundings } from './command.ts'
import { CommandError, UsageError } from './errors.ts'
import { optional, readText, text, toggle, type Reader } from './flags.ts'

/** Imported as a type: admin/client.ts loads an HTTP client, which help and usage errors do without. */
const DEFAULT_URL: typeof DEFAULT_ADMIN_URL = 'http://127.0.0.1:8474'

const UNREACHABLE_HINT = '; start a server with "faultline serve", or name another one with --host URL or FAULTLINE_URL'

const UNAUTHORIZED_HINT = '; set FAULTLINE_TOKEN, or name a file that has the token with --token-file'

/** Where the URL is looked up without --host; Toxiproxy's CLI has the second one. */
const URL_VARIABLES = ['FAULTLINE_URL', 'TOXIPROXY_URL']

const serverUrl: Reader<string> = {
  placeholder: 'URL',
  expected: 'an http:// or https:// URL',
  read: (given) => {
    const url = given.includes('://') ? given : `http://${given}`
    return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : undefined
  },
}

/** Which server, as whom. */
export interface Server {
  readonly host: string | undefined
  readonly 'token-file': string | undefined
}

export const serverFlags = {
  host: optional(serverUrl, {
    describe: 'The server.',
    remark: `default ${URL_VARIABLES.join(' or ')} from the environment, else ${DEFAULT_URL}`,
  }),
  // A token itself is no flag's value: every user of the machine can read command lines.
  'token-file': optional(text('FILE'), {
    describe: 'A file with the token that the server wants.',
    remark: 'default FAULTLINE_TOKEN from the environment',
  }),
}

export const apiFlags = {
  host: serverFlags.host,
  json: toggle({ describe: 'Prints JSON, as the API has it.' }),
  'token-file': serverFlags['token-file'],
}

/** Calls the server over Toxiproxy's API. @throws CommandError and whatever `call` throws */
export async function callServer<Result>(
  server: Server,
  env: Surroundings['env'],
  call: (client: AdminClient) => Promise<Result>,
): Promise<Result> {
  const { AdminClient } = await import('../admin/client.ts')
  return withClient(new AdminClient(urlOf(server, env), await clientOptions(server, env)), call)
}

/**
 * Calls the server over our own API.
 *
 * @throws UsageError for what the server finds wrong with what was typed
 * @throws CommandError and whatever `call` throws
 */
export async function callV1<Result>(
  server: Server,
  env: Surroundings['env'],
  call: (client: V1Client) => Promise<Result>,
  options: AdminClientOptions = {},
): Promise<Result> {
  const { V1Client } = await import('../admin/client/v1-client.ts')
  const client = new V1Client(urlOf(server, env), { ...(await clientOptions(server, env)), ...options })
  return withClient(client, call, asUsageError)
}

/** The server and the token, for what calls it by itself. @throws UsageError */
export async function serverOf(
  server: Server,
  env: Surroundings['env'],
): Promise<{ readonly url: string; readonly token?: string }> {
  const { token } = await clientOptions(server, env)
  return { url: urlOf(server, env), ...(token !== undefined && { token }) }
}

async function withClient<Client extends { close(): Promise<void> }, Result>(
  client: Client,
  call: (client: Client) => Promise<Result>,
  refused: (error: Refused) => UsageError | undefined = () => undefined,
): Promise<Result> {
  const { isAdminClientError } = await import('../admin/client.ts')
  try {
    return await call(client)
  } catch (error) {
    if (!isAdminClientError(error)) throw error
    throw refused(error) ?? new CommandError(error.message + hintFor(error), { cause: error })
  } finally {
    await client.close()
  }
}

type Refused = Error & { readonly status: number | undefined; readonly reason: string | undefined }

/** Our own API answers 400 to what could not be right on any server. */
function asUsageError({ status, reason, cause }: Refused): UsageError | undefined {
  return status === 400 && reason !== undefined ? new UsageError(reason, { cause }) : undefined
}

function hintFor({ code, status }: { readonly code: string; readonly status: number | undefined }): string {
  if (code === 'unreachable') return UNREACHABLE_HINT
  return status === 401 ? UNAUTHORIZED_HINT : ''
}

function urlOf({ host }: Server, env: Surroundings['env']): string {
  return host ?? defaultUrlOf(env)
}

/** The server that commands call without --host. @throws UsageError if the environment names none */
export function defaultUrlOf(env: Surroundings['env']): string {
  const variable = URL_VARIABLES.find((name) => env[name])
  return variable === undefined ? DEFAULT_URL : readText(serverUrl, env[variable] ?? '', variable)
}

async function clientOptions(server: Server, env: Surroundings['env']): Promise<AdminClientOptions> {
  const file = server['token-file']
  const token = file === undefined ? env['FAULTLINE_TOKEN'] : await readTokenFile(file)
  return token ? { token } : {}
}

/** @throws UsageError that does not show what is in it */
async function readTokenFile(path: string): Promise<string> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`--token-file: expected a file that can be read: ${reason}`, { cause: error })
  })
  const token = content.trim()
  if (/^[!-~]+$/.test(token)) return token
  throw new UsageError(`--token-file: expected a line of visible ASCII characters without spaces in ${path}`)
}
