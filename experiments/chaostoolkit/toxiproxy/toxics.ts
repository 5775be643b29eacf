// Module `chaostoxi.toxic.actions` of the chaostoolkit-toxiproxy extension, version 0.3. Each toxic is a fault of ours of
// the same type, with the same attributes.
import { Type, type Static, type TObject, type TProperties } from '@sinclair/typebox'
import type { Fields } from '../../../admin/config/mistakes.ts'
import type { FaultSpec } from '../../../proxy/index.ts'
import { isMissing } from '../target.ts'
import { defineFunction, toxicKey, type ExtensionFunction } from './function.ts'

const name = Type.String({ minLength: 1 })
const integer = Type.Integer()
const stream = Type.Union([Type.Literal('upstream'), Type.Literal('downstream')])

export const toxicActions: Readonly<Record<string, ExtensionFunction>> = {
  create_toxic: toxic(
    {
      for_proxy: name,
      toxic_name: name,
      toxic_type: name,
      stream: Type.Optional(stream),
      toxicity: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      attributes: Type.Optional(Type.Object({}, { additionalProperties: true })),
    },
    (given) => ({
      type: given.toxic_type,
      attributes: given.attributes ?? {},
      direction: given.stream ?? 'downstream',
      probability: given.toxicity ?? 1,
    }),
    { type: 'toxic_type', direction: 'stream', probability: 'toxicity' },
  ),
  create_latency_toxic: toxic(
    { for_proxy: name, toxic_name: name, latency: integer, jitter: Type.Optional(integer) },
    ({ latency, jitter = 0 }) => ({ type: 'latency', attributes: { latency, jitter } }),
    { 'attributes.latency': 'latency', 'attributes.jitter': 'jitter' },
  ),
  // The extension's spelling.
  create_bandwith_degradation_toxic: toxic(
    { for_proxy: name, toxic_name: name, rate: integer },
    ({ rate }) => ({ type: 'bandwidth', attributes: { rate } }),
    { 'attributes.rate': 'rate' },
  ),
  create_slow_connection_close_toxic: toxic(
    { for_proxy: name, toxic_name: name, delay: integer },
    ({ delay }) => ({ type: 'slow_close', attributes: { delay } }),
    { 'attributes.delay': 'delay' },
  ),
  create_timeout_toxic: toxic(
    { for_proxy: name, toxic_name: name, timeout: integer },
    ({ timeout }) => ({ type: 'timeout', attributes: { timeout } }),
    { 'attributes.timeout': 'timeout' },
  ),
  create_slicer_toxic: toxic(
    { for_proxy: name, toxic_name: name, average_size: integer, size_variation: integer, delay: integer },
    (given) => ({
      type: 'slicer',
      attributes: { average_size: given.average_size, size_variation: given.size_variation, delay: given.delay },
    }),
    {
      'attributes.average_size': 'average_size',
      'attributes.size_variation': 'size_variation',
      'attributes.delay': 'delay',
    },
  ),
  create_limiter_toxic: toxic(
    { for_proxy: name, toxic_name: name, bytes_limit: integer },
    ({ bytes_limit: bytes }) => ({ type: 'limit_data', attributes: { bytes } }),
    { 'attributes.bytes': 'bytes_limit' },
  ),
  delete_toxic: defineFunction(
    { for_proxy: name, toxic_name: name },
    async ({ for_proxy: proxy, toxic_name: toxicName }, { control, undo }) => {
      const wasThere = await removeIfThere(() => control.removeFault(proxy, toxicName))
      undo.forget(toxicKey(proxy, toxicName))
      return wasThere
    },
  ),
}

/** @param names what fields of the fault are called as arguments */
function toxic<Parameters extends TProperties>(
  parameters: Parameters,
  read: (given: Static<TObject<Parameters>>) => Omit<FaultSpec, 'name'>,
  names: Readonly<Record<string, string>>,
): ExtensionFunction {
  const spec = (given: Fields): FaultSpec => ({
    direction: 'downstream',
    ...read(given as Static<TObject<Parameters>>),
    name: String(given['toxic_name']),
  })
  return {
    parameters,
    fault: { spec, names },
    async call(given, { control, undo }) {
      const proxy = String(given['for_proxy'])
      const toxicName = String(given['toxic_name'])
      await control.addFault(proxy, spec(given))
      undo.add(toxicKey(proxy, toxicName), `toxic ${toxicName} on ${proxy}`, async () => {
        await removeIfThere(() => control.removeFault(proxy, toxicName))
      })
      return true
    },
  }
}

async function removeIfThere(remove: () => Promise<void>): Promise<boolean> {
  try {
    await remove()
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
