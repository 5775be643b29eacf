// What a changed configuration means for proxies that have been changed by the API meanwhile. Only values; apply.ts acts.
import { isDeepStrictEqual } from 'node:util'
import type { FaultSpec, ProxySpec } from '../../proxy/index.ts'

/**
 * The proxies that there should be after the configuration has changed. What it says differently from before holds; all
 * else stays as it is now, whoever made it so. Proxies and faults that stay as they are come back as the same objects.
 *
 * @param before what the configuration said; faults have names
 * @param after what it says
 * @param now what there is
 */
export function mergeConfig(
  before: readonly ProxySpec[],
  after: readonly ProxySpec[],
  now: readonly ProxySpec[],
): readonly ProxySpec[] {
  return mergeNamed(before, after, now, mergeProxy)
}

interface Named {
  readonly name?: string
}

function mergeNamed<Spec extends Named>(
  before: readonly Spec[],
  after: readonly Spec[],
  now: readonly Spec[],
  merge: (before: Spec, after: Spec, now: Spec) => Spec,
): readonly Spec[] {
  const old = byName(before)
  const wanted = byName(after)
  const present = byName(now)
  const kept = now.flatMap((spec) => {
    const was = old.get(spec.name)
    const will = wanted.get(spec.name)
    if (!will) return was ? [] : [spec] // not of the file: it stays
    return was ? [merge(was, will, spec)] : [will] // the file's name now
  })
  // What is as it was in the file, and is not there any more, has been removed by somebody on purpose.
  const added = after.filter((spec) => !present.has(spec.name) && !isDeepStrictEqual(old.get(spec.name), spec))
  return [...kept, ...added]
}

function mergeProxy(before: ProxySpec, after: ProxySpec, now: ProxySpec): ProxySpec {
  const faults = mergeNamed(before.faults ?? [], after.faults ?? [], now.faults ?? [], mergeFault)
  const merged = mergeFields(before, after, now)
  const sameFaults =
    faults.length === now.faults?.length && faults.every((fault, index) => fault === now.faults?.[index])
  return merged === now && sameFaults ? now : { ...merged, faults }
}

/** A fault is replaced as a whole: half of the file's and half of the API's is what nobody asked for. */
function mergeFault(before: FaultSpec, after: FaultSpec, now: FaultSpec): FaultSpec {
  return isDeepStrictEqual(before, after) ? now : after
}

function mergeFields(before: ProxySpec, after: ProxySpec, now: ProxySpec): ProxySpec {
  const [old, wanted] = [fieldsOf(before), fieldsOf(after)]
  const changed = [...new Set([...Object.keys(old), ...Object.keys(wanted)])].filter(
    (name) => name !== 'faults' && !isDeepStrictEqual(old[name], wanted[name]),
  )
  if (changed.length === 0) return now
  const kept = Object.entries(now).filter(([name]) => !changed.includes(name))
  const set = Object.entries(after).filter(([name]) => changed.includes(name))
  return Object.fromEntries([...kept, ...set]) as unknown as ProxySpec
}

function fieldsOf(spec: ProxySpec): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(spec))
}

function byName<Spec extends Named>(specs: readonly Spec[]): ReadonlyMap<string | undefined, Spec> {
  return new Map(specs.map((spec) => [spec.name, spec]))
}
