// Modules `chaostoxi.proxy.actions` and `chaostoxi.proxy.probes` of the chaostoolkit-toxiproxy extension, version 0.3.
import { Type } from '@sinclair/typebox'
import { ActivityFailed } from '../activity-failed.ts'
import type { ProxyChange, ProxyState } from '../target.ts'
import {
  changeKey,
  defineFunction,
  portName,
  proxyKey,
  toxicsKey,
  type ExtensionFunction,
  type ToxiproxyContext,
} from './function.ts'

const name = Type.String({ minLength: 1 })
const port = Type.Integer({ minimum: 1, maximum: 65_535 })
const portText = Type.String({ pattern: '^(\\d+$|env:.)' })
const upstreamPort = Type.Union([port, portText], { expected: 'a port, or env: and the name of a variable' })

export const proxyActions: Readonly<Record<string, ExtensionFunction>> = {
  create_proxy: defineFunction(
    {
      proxy_name: name,
      upstream_host: name,
      upstream_port: upstreamPort,
      listen_host: Type.Optional(Type.String()),
      listen_port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
      enabled: Type.Optional(Type.Boolean()),
    },
    async (given, { control, undo, values, environment }) => {
      const { proxy_name: proxy, listen_host: host = '0.0.0.0', listen_port: listenPort = 0, enabled = true } = given
      const upstreamHost = fromEnvironment(given.upstream_host, environment)
      const upstream = `${upstreamHost}:${fromEnvironment(given.upstream_port, environment)}`
      const created = await control.createProxy({ name: proxy, listen: `${host}:${listenPort}`, upstream, enabled })
      undo.add(proxyKey(proxy), `proxy ${proxy}`, () => control.removeProxy(proxy))
      announcePort(created, { values, environment })
      return true
    },
  ),
  modify_proxy: defineFunction(
    {
      proxy_name: name,
      listen_address: Type.Optional(name),
      upstream_address: Type.Optional(name),
      enabled: Type.Optional(Type.Boolean()),
    },
    ({ proxy_name: proxy, listen_address: listen, upstream_address: upstream, enabled }, context) => {
      const addresses = { ...(listen !== undefined && { listen }), ...(upstream !== undefined && { upstream }) }
      return modify(proxy, { ...addresses, ...(enabled !== undefined && { enabled }) }, context)
    },
  ),
  enable_proxy: defineFunction({ proxy_name: name }, ({ proxy_name: proxy }, context) =>
    modify(proxy, { enabled: true }, context),
  ),
  disable_proxy: defineFunction({ proxy_name: name }, ({ proxy_name: proxy }, context) =>
    modify(proxy, { enabled: false }, context),
  ),
  delete_proxy: defineFunction({ proxy_name: name }, async ({ proxy_name: proxy }, { control, undo }) => {
    await control.removeProxy(proxy)
    const changes = changeable.map((field) => changeKey(field, proxy))
    for (const key of [proxyKey(proxy), toxicsKey(proxy), ...changes]) undo.forget(key)
    return null
  }),
  reset: defineFunction({}, async (_given, { control, undo }) => {
    await control.reset()
    // Addresses that were changed stay as they are.
    for (const what of ['toxic ', 'enabled ']) undo.forget(what)
    return true
  }),
}

export const proxyProbes: Readonly<Record<string, ExtensionFunction>> = {
  proxy_exist: defineFunction(
    { proxy_name: name },
    async ({ proxy_name: proxy }, { control }) => (await control.proxy(proxy)) !== undefined,
  ),
  get_proxy_attribute: defineFunction(
    { proxy_name: name, attribute: name },
    async ({ proxy_name: proxy, attribute }, { control }) => {
      const state = await control.proxy(proxy)
      if (!state) return null
      if (Object.hasOwn(state, attribute)) return state[attribute as keyof ProxyState]
      throw new ActivityFailed(`a proxy has no ${attribute}, but ${Object.keys(state).join(', ')}`)
    },
  ),
}

const changeable = ['listen', 'upstream', 'enabled'] as const

async function modify(proxy: string, change: ProxyChange, context: ToxiproxyContext): Promise<true> {
  const { control, undo } = context
  const before = await control.proxy(proxy)
  if (!before) throw new ActivityFailed(`there is no proxy named "${proxy}"`)
  const after = await control.updateProxy(proxy, change)
  for (const field of changeable) {
    const key = changeKey(field, proxy)
    // The first change knows what was there before all of them.
    const original = undo.originalOf(key) ?? before[field]
    if (after[field] === original) {
      undo.forget(key)
      continue
    }
    const putBack = async (): Promise<void> => void (await control.updateProxy(proxy, { [field]: original }))
    undo.add(key, `${field} of proxy ${proxy}`, putBack, original)
  }
  announcePort(after, context)
  return true
}

/** As the extension does, for what comes after it. */
function announcePort(
  { name: proxy, listen }: ProxyState,
  { values, environment }: Pick<ToxiproxyContext, 'values' | 'environment'>,
): void {
  const bound = listen.slice(listen.lastIndexOf(':') + 1)
  values.set(portName(proxy), bound)
  environment[portName(proxy)] = bound
}

function fromEnvironment(given: string | number, environment: Readonly<Record<string, string | undefined>>): string {
  if (typeof given !== 'string' || !given.startsWith('env:')) return String(given)
  const variable = given.slice('env:'.length)
  const value = environment[variable]
  if (value !== undefined) return value
  throw new ActivityFailed(`the environment variable ${variable} is not set`)
}
