// How proxies and toxics look to people.
import type { ProxyView, ToxicView } from '../admin/toxiproxy-json.ts'
import type { Cell } from './output.ts'

export function stateCell({ enabled }: ProxyView): Cell {
  return enabled ? { text: 'enabled', style: 'green' } : { text: 'disabled', style: 'red' }
}

/** `latency=1000 jitter=50` */
export function attributesText({ attributes }: Pick<ToxicView, 'attributes'>): string {
  const pairs = Object.entries(attributes).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return pairs.join(' ') || 'none'
}

/** `latency_downstream (latency, downstream, toxicity 1): latency=1000 jitter=50` */
export function toxicText(toxic: ToxicView): string {
  return `${toxic.name} (${toxic.type}, ${toxic.stream}, toxicity ${toxic.toxicity}): ${attributesText(toxic)}`
}
