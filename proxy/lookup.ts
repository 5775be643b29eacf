// Names of upstreams. Node looks them up with blocking calls on a few threads, so connections share their look-ups:
// many dials to one dead name take one thread, not all.
import { lookup as lookupName, type LookupAddress, type LookupAllOptions, type LookupOptions } from 'node:dns'

type Callback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

const waiting = new Map<string, Callback[]>()

/** dns.lookup, in the shape of net.connect's `lookup` option, with one look-up at a time for each name. */
export function sharedLookup(host: string, options: LookupOptions, callback: Callback): void {
  const key = `${host} ${options.family ?? 0} ${options.hints ?? 0} ${options.all ?? false}`
  const others = waiting.get(key)
  if (others) {
    others.push(callback)
    return
  }
  const callbacks = [callback]
  waiting.set(key, callbacks)
  lookupName(host, options as LookupAllOptions, (error, address, family?: number) => {
    waiting.delete(key)
    for (const answer of callbacks) answer(error, address, family)
  })
}
