// The one list of formats. A new one is a file and a line here.
import type { Journal } from '../model.ts'
import { renderHtml } from './html/page.ts'
import { renderJunit } from './junit.ts'
import { renderMarkdown } from './markdown.ts'
import type { MetricNames } from './metric-names.ts'
import { renderMetrics } from './metrics.ts'

export interface RenderOptions {
  /** Of metrics.prom. Default `lint`. */
  readonly metricNames?: MetricNames | undefined
}

interface Format {
  readonly file: string
  render(journal: Journal, options?: RenderOptions): string | Promise<string>
}

const formats = {
  json: { file: 'results.json', render: renderJson },
  markdown: { file: 'report.md', render: renderMarkdown },
  html: { file: 'report.html', render: renderHtml },
  junit: { file: 'junit.xml', render: renderJunit },
  prometheus: {
    file: 'metrics.prom',
    render: (journal, options) => renderMetrics(journal, options?.metricNames),
  },
} satisfies Record<string, Format>

export type ResultFormat = keyof typeof formats

export const resultFormats = Object.keys(formats) as readonly ResultFormat[]

export function formatOf(name: ResultFormat): Format {
  return formats[name]
}

/** results.json: the journal, whole. */
export function renderJson(journal: Journal): string {
  return `${JSON.stringify(journal, null, 2)}\n`
}
