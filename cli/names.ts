// Arguments that name what a server has, so that completion can ask it.
import type { V1Client } from '../admin/client/v1-client.ts'
import { callV1 } from './api.ts'
import { argument, optionalArgument, type Choices, type CompletionContext } from './arguments.ts'

/** Whoever presses Tab does not wait for a server that may not be there. */
const COMPLETION_TIMEOUT_MS = 500

const proxyNames = choices(async (client) => client.proxies())

export const proxyArgument = argument('the name of the proxy', { choices: proxyNames })

export const optionalProxyArgument = optionalArgument('the name of a proxy; default all', { choices: proxyNames })

/** Behind a {@link proxyArgument}. */
export const faultArgument = argument('the name of the fault', {
  choices: choices(async (client, { before: [proxy = ''] }) => client.faultsOf(proxy)),
})

export const partitionArgument = argument('the name of the partition', {
  choices: choices(async (client) => client.partitions()),
})

export const faultTypeChoices: Choices = async () => {
  const { faultTypes } = await import('../proxy/faults/registry.ts')
  return [...new Set([...faultTypes('tcp'), ...faultTypes('udp')])]
}

export const stressorChoices = choices(async (client) => client.stressors())

export const stressorTypeChoices: Choices = async () => {
  const { stressorTypes } = await import('../resource-stressors/registry.ts')
  return stressorTypes()
}

function choices(
  list: (client: V1Client, context: CompletionContext) => Promise<readonly { readonly name: string }[]>,
): Choices {
  return async (context) => {
    const server = { host: context.host, 'token-file': undefined }
    const named = await callV1(server, context.env, (client) => list(client, context), {
      timeoutMs: COMPLETION_TIMEOUT_MS,
    }).catch(() => []) // nothing can be said on a line that is being typed
    return named.map(({ name }) => name)
  }
}
