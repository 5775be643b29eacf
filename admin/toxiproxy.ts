// Toxiproxy's API (its server's api.go, main branch of May 2026), so that its clients work unchanged.
// test/admin/toxiproxy-recordings.json holds conversations with the real server that this must answer alike.
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import {
  findFaultDefinition,
  InstalledFault,
  isFaultlineError,
  version,
  type FaultAttributes,
  type FaultlineErrorCode,
  type FaultProxy,
  type Network,
} from '../proxy/index.ts'
import type { CheckedSettings } from '../proxy/installed-fault.ts'
import { Turns } from '../proxy/turns.ts'
import type { Stressors } from '../resource-stressors/index.ts'
import {
  asObject,
  badBody,
  isToxic,
  parseBody,
  readAttributes,
  readBoolean,
  readKey,
  readNumber,
  readString,
  ToxiproxyError,
  viewProxy,
  viewToxic,
  viewToxics,
  type ProxyView,
} from './toxiproxy-json.ts'

/** Clients gate features on it, e.g. PATCH on 2.5. */
const TOXIPROXY_VERSION = '2.12.0'

/** A missing listen address picks a free port on all interfaces. */
const DEFAULT_LISTEN = ':0'

const METHODS = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'] as const
type Method = (typeof METHODS)[number]

interface ProxyParams {
  readonly proxy: string
}

interface ToxicParams extends ProxyParams {
  readonly toxic: string
}

interface ToxiproxyOptions {
  readonly network: Network
  /** A reset ends them, too. */
  readonly stressors: Stressors
}

/** A Fastify plugin; register it without a prefix. */
export function toxiproxyApi(app: FastifyInstance, { network, stressors }: ToxiproxyOptions, done: () => void): void {
  // Whatever the content type says, or if there is none: a body is JSON.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-toxiproxy-request-id', request.id)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (reply.getHeader('content-type') === FASTIFY_JSON) reply.type('application/json')
  })
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))
  app.setNotFoundHandler((_request, reply) => reply.code(404).type(PLAIN_TEXT).send('404 page not found\n'))

  route(app, '/version', {
    GET: (_request, reply) =>
      reply
        .type('application/json;charset=utf-8')
        .serializer(JSON.stringify)
        .send({ version: TOXIPROXY_VERSION, faultline: version }),
  })
  route(app, '/reset', {
    POST: async (_request, reply) => {
      await Promise.all([network.reset(), stressors.stopAll('reset')])
      return reply.code(204).send()
    },
  })
  // Two clients that set up the same proxies at once must both find them, so these take turns, as in Toxiproxy.
  const turns = new Turns()
  route(app, '/populate', { POST: (request, reply) => turns.run(() => populate(network, request, reply)) })
  route(app, '/proxies', {
    GET: () => Object.fromEntries([...network.proxies].map((proxy) => [proxy.name, viewProxy(proxy)])),
    POST: (request, reply) => turns.run(() => createProxy(network, request, reply)),
  })
  const update: RouteHandlerMethod = (request) => updateProxy(network, request)
  route(app, '/proxies/:proxy', {
    GET: (request) => viewProxy(requireProxy(network, request)),
    POST: update,
    PATCH: update,
    DELETE: (request, reply) =>
      turns.run(async () => {
        await network.removeProxy(requireProxy(network, request).name)
        return reply.code(204).send()
      }),
  })
  route(app, '/proxies/:proxy/toxics', {
    GET: (request) => viewToxics(requireProxy(network, request)),
    POST: (request) => createToxic(network, request),
  })
  const change: RouteHandlerMethod = (request) => updateToxic(network, request)
  route(app, '/proxies/:proxy/toxics/:toxic', {
    GET: (request) => viewToxic(requireToxic(network, request).toxic),
    POST: change,
    PATCH: change,
    DELETE: (request, reply) => {
      const { proxy, toxic } = requireToxic(network, request)
      proxy.removeFault(toxic.name)
      return reply.code(204).send()
    },
  })
  done()
}

// ---- proxies -------------------------------------------------------------------------------------------------------

interface ProxyInput {
  readonly name: string
  readonly listen: string | undefined
  readonly upstream: string
  readonly enabled: boolean | undefined
}

/** @param where what is added to the message, e.g. ` at proxy 2` */
function readProxy(value: unknown, field: string, where: string): ProxyInput {
  const object = asObject(value, field)
  const path = where === '' ? '' : `${field}.`
  const name = readString(object, 'name', path)
  const listen = readString(object, 'listen', path)
  const upstream = readString(object, 'upstream', path)
  const enabled = readBoolean(object, 'enabled', path)
  if (!name) throw new ToxiproxyError(400, `missing required field: name${where}`)
  if (!upstream) throw new ToxiproxyError(400, `missing required field: upstream${where}`)
  return { name, listen: listen || undefined, upstream, enabled }
}

async function createProxy(network: Network, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const input = readProxy(parseBody(request.body), 'body', '')
  const proxy = await network.createProxy({
    ...input,
    listen: input.listen ?? DEFAULT_LISTEN,
    enabled: input.enabled ?? true,
  })
  return reply.code(201).send(viewProxy(proxy))
}

async function updateProxy(network: Network, request: FastifyRequest): Promise<ProxyView> {
  const proxy = requireProxy(network, request)
  const body = asObject(parseBody(request.body), 'body')
  const listen = readString(body, 'listen')
  const upstream = readString(body, 'upstream')
  const enabled = readBoolean(body, 'enabled')
  await proxy.update({
    ...(listen !== undefined && { listen: listen || DEFAULT_LISTEN }),
    ...(upstream !== undefined && { upstream }),
    ...(enabled !== undefined && { enabled }),
  })
  return viewProxy(proxy)
}

/** All or the first few: on an error the proxies before it stay, and are part of the answer. */
async function populate(network: Network, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const proxies: ProxyView[] = []
  const orNull = (): ProxyView[] | null => (proxies.length > 0 ? proxies : null)
  try {
    const body = parseBody(request.body)
    if (body !== null && !Array.isArray(body)) throw badBody('expected an array of proxies')
    const inputs = (body ?? []).map((value: unknown, index: number) =>
      readProxy(value, `proxies[${index}]`, ` at proxy ${index + 1}`),
    )
    for (const input of inputs) proxies.push(viewProxy(await putProxy(network, input)))
    return await reply.code(201).send({ proxies: orNull() })
  } catch (error) {
    const { status, message } = toToxiproxyError(error, request)
    return reply.code(status).send({ error: message, status, proxies: orNull() })
  }
}

/** Keeps a proxy of this name with the same addresses as it is, and replaces one with others. */
async function putProxy(network: Network, input: ProxyInput): Promise<FaultProxy> {
  const listen = input.listen ?? DEFAULT_LISTEN
  const present = network.proxy(input.name)
  if (present) {
    if (!(await present.differs(listen, input.upstream))) return present
    await network.removeProxy(input.name)
  }
  return network.createProxy({ ...input, listen, enabled: input.enabled ?? true })
}

function requireProxy(network: Network, request: FastifyRequest): FaultProxy {
  const proxy = network.proxy((request.params as ProxyParams).proxy)
  if (proxy) return proxy
  throw new ToxiproxyError(404, 'proxy not found')
}

// ---- toxics --------------------------------------------------------------------------------------------------------

function createToxic(network: Network, request: FastifyRequest): object {
  const proxy = requireProxy(network, request)
  const body = asObject(parseBody(request.body), 'body')
  const givenName = readString(body, 'name')
  const type = readString(body, 'type') ?? ''
  const stream = readString(body, 'stream') ?? 'downstream'
  const toxicity = readNumber(body, 'toxicity') ?? 1
  const given = readKey(body, 'attributes')
  if (given !== undefined) asObject(given, 'attributes')
  if (stream !== 'upstream' && stream !== 'downstream') {
    throw new ToxiproxyError(400, 'stream was invalid, can be either upstream or downstream')
  }
  const definition = findFaultDefinition(type, proxy.transport)
  if (!definition || !isToxic({ definition })) throw new ToxiproxyError(400, 'invalid toxic type')
  const name = givenName || `${type}_${stream}`
  if (proxy.fault(name)) throw new ToxiproxyError(409, 'toxic already exists')
  const toxic = InstalledFault.fromSpec({ type, name, direction: stream }, '', undefined, proxy.transport)
  const { attributes, error } = readAttributes(definition.schema, toxic.attributes, given)
  if (error) throw error
  toxic.apply(settingsOf(toxic, toxicity, attributes))
  proxy.installFault(toxic)
  return viewToxic(toxic)
}

function updateToxic(network: Network, request: FastifyRequest): object {
  const { proxy, toxic } = requireToxic(network, request)
  const body = asObject(parseBody(request.body), 'body')
  const { attributes, error } = readAttributes(toxic.definition.schema, toxic.attributes, readKey(body, 'attributes'))
  const probability = readNumber(body, 'toxicity') ?? toxic.probability
  // What could be read takes hold even if something else could not: so does Go's decoder, and clients may rely on it.
  proxy.applySettings(toxic, settingsOf(toxic, error ? toxic.probability : probability, attributes))
  if (error) throw error
  return viewToxic(toxic)
}

/** Not checked against the schema, as Toxiproxy takes any number; toxics of datagrams, which it has none of, are checked. */
function settingsOf(toxic: InstalledFault, probability: number, attributes: FaultAttributes): CheckedSettings {
  if (toxic.definition.layer === 'datagram') return toxic.checkChange({ probability, attributes })
  return { ...toxic.settings, probability, attributes }
}

function requireToxic(network: Network, request: FastifyRequest): { proxy: FaultProxy; toxic: InstalledFault } {
  const proxy = requireProxy(network, request)
  const toxic = proxy.fault((request.params as ToxicParams).toxic)
  if (toxic && isToxic(toxic)) return { proxy, toxic }
  throw new ToxiproxyError(404, 'toxic not found')
}

// ---- answers -------------------------------------------------------------------------------------------------------

/** Fastify's label for JSON; Toxiproxy's has no charset. */
const FASTIFY_JSON = 'application/json; charset=utf-8'
const PLAIN_TEXT = 'text/plain; charset=utf-8'

/** Registers handlers for a path and answers 405 to all other methods. */
function route(app: FastifyInstance, url: string, handlers: Partial<Record<Method, RouteHandlerMethod>>): void {
  for (const method of METHODS) {
    const handler = handlers[method] ?? ((_request, reply) => reply.code(405).send())
    app.route({ method, url, handler, onRequest: refuseEmptyNames })
  }
}

/** `/proxies/` is not the path of a proxy without a name. */
async function refuseEmptyNames(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (Object.values(request.params as object).includes('')) reply.callNotFound()
}

/** The words of errors that the data plane finds; all others keep their own. */
const errorsByCode: Partial<Record<FaultlineErrorCode, ToxiproxyError>> = {
  proxy_exists: new ToxiproxyError(409, 'proxy already exists'),
  proxy_not_found: new ToxiproxyError(404, 'proxy not found'),
  fault_exists: new ToxiproxyError(409, 'toxic already exists'),
  fault_not_found: new ToxiproxyError(404, 'toxic not found'),
}

/** Of errors that keep their words; all others are 500, as Toxiproxy answers them. */
const statusByCode: Partial<Record<FaultlineErrorCode, number>> = {
  invalid_value: 400,
  stopped: 423,
  limit_reached: 429,
}

function toToxiproxyError(error: unknown, request: FastifyRequest): ToxiproxyError {
  if (error instanceof ToxiproxyError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (isFaultlineError(error)) {
    return errorsByCode[error.code] ?? new ToxiproxyError(statusByCode[error.code] ?? 500, message)
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500 // Fastify's own, e.g. 413 for the body limit
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  return new ToxiproxyError(status, message)
}

/** JSON, though labelled as text: Go's http.Error does that, and nobody may rely on the label. */
function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, message } = toToxiproxyError(error, request)
  return reply
    .code(status)
    .type(PLAIN_TEXT)
    .send(JSON.stringify({ error: message, status }))
}
