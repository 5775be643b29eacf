// The chart library as it is installed, to be put into the page: a report needs no network.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { programFile } from '../../../resource-stressors/own-file.ts'

export interface ChartLibrary {
  readonly script: string
  readonly style: string
}

let library: ChartLibrary | undefined

/** Read once, and only when a report is made. */
export function chartLibrary(): ChartLibrary {
  const resolver = createRequire(programFile('own-file'))
  const read = (file: string): string => readFileSync(resolver.resolve(`uplot/dist/${file}`), 'utf8').trim()
  return (library ??= { script: read('uPlot.iife.min.js'), style: read('uPlot.min.css') })
}
