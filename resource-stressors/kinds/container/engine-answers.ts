// What a container engine says, as far as it is needed here: Docker Engine API 1.24 and later, as others speak it too.

export interface Container {
  readonly id: string
  /** Without the slash that the API puts before it. */
  readonly name: string
  /** Its main process is there, also if it is paused. */
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** It is removed as soon as it stops. */
  readonly isRemovedAtEnd: boolean
}

type Fields = Readonly<Record<string, unknown>>

/** The answer of GET /containers/{id}/json; undefined if it is none. */
export function readContainer(body: unknown): Container | undefined {
  if (!isObject(body) || !isObject(body['State'])) return undefined
  const { Id: id, Name: name, State: state, HostConfig: host } = body
  const { Running: isRunning, Paused: isPaused } = state
  if (typeof id !== 'string' || !ID.test(id) || typeof name !== 'string') return undefined
  if (typeof isRunning !== 'boolean' || typeof isPaused !== 'boolean') return undefined
  const isRemovedAtEnd = isObject(host) && host['AutoRemove'] === true
  return { id, name: name.replace(/^\//, ''), isRunning, isPaused, isRemovedAtEnd }
}

/** Ids out of the answer of GET /containers/json; undefined if it is none. */
export function readContainerIds(body: unknown): string[] | undefined {
  if (!Array.isArray(body)) return undefined
  const ids = body.map((entry: unknown) => (isObject(entry) ? entry['Id'] : undefined))
  return ids.every((id) => typeof id === 'string' && ID.test(id)) ? (ids as string[]) : undefined
}

/** ErrorResponse of the API, or what else was said first. */
export function readReason(text: string): string {
  const body = parseJson(text)
  const message = isObject(body) ? body['message'] : undefined
  const line = (typeof message === 'string' ? message : text).trim().split('\n', 1)[0] ?? ''
  return line === '' ? 'no reason given' : line.slice(0, MAX_REASON_LENGTH)
}

/** undefined if it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const MAX_REASON_LENGTH = 300
/** Ids go into paths of requests. */
const ID = /^[0-9a-f]{12,64}$/

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
