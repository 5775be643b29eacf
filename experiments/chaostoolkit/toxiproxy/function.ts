// What a function of the chaostoolkit-toxiproxy extension is: its arguments, and what it does to our own proxies.
import type { Static, TObject, TProperties } from '@sinclair/typebox'
import type { Fields } from '../../../admin/config/mistakes.ts'
import type { FaultSpec } from '../../../proxy/index.ts'
import type { ProxyControl } from '../target.ts'
import type { UndoList } from '../undo.ts'
import type { Values } from '../values.ts'

/** What functions act on. */
export interface ToxiproxyContext {
  readonly control: ProxyControl
  readonly undo: UndoList
  /** Where the port of a new proxy is put, as `<name>_PORT`. */
  readonly values: Values
  /** Of the processes to come; it is put there, too. */
  readonly environment: Record<string, string | undefined>
}

/** Arguments are of the schema that `parameters` make. */
export interface ExtensionFunction {
  readonly parameters: TProperties
  call(given: Fields, context: ToxiproxyContext): Promise<unknown>
  /** The fault that it adds, and what fields of that are called as arguments. */
  readonly fault?: {
    spec(given: Fields): FaultSpec
    readonly names: Readonly<Record<string, string>>
  }
}

type Given<Parameters extends TProperties> = Static<TObject<Parameters>>

export function defineFunction<Parameters extends TProperties>(
  parameters: Parameters,
  call: (given: Given<Parameters>, context: ToxiproxyContext) => Promise<unknown>,
): ExtensionFunction {
  return { parameters, call: (given, context) => call(given as Given<Parameters>, context) }
}

export const portName = (proxy: string): string => `${proxy}_PORT`

// What has been done to what, as keys of an undo list. One begins with another if it is of the same proxy.
export const proxyKey = (proxy: string): string => `proxy ${JSON.stringify(proxy)}`
export const changeKey = (field: string, proxy: string): string => `${field} ${JSON.stringify(proxy)}`
export const toxicsKey = (proxy: string): string => `toxic ${JSON.stringify(proxy)}`
export const toxicKey = (proxy: string, toxic: string): string => `${toxicsKey(proxy)} ${JSON.stringify(toxic)}`
