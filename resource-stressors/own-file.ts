// Where this file is, in every form that it takes: TypeScript source, ES module, CommonJS module.
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * A neighbour of this file, in the same form as this one: `programFile('child', 'main')`.
 *
 * Asked of a stack trace because there is no expression that both module systems have for it: `import.meta` is a syntax
 * error in CommonJS, and a variable `__filename` of its own can't be declared there.
 */
export function programFile(...names: readonly string[]): string {
  return join(dirname(ownFile), ...names) + extname(ownFile)
}

/** Whether we run from TypeScript source, by whatever has taught this process to read it. */
export function runsFromSource(): boolean {
  return ownFile.endsWith('.ts')
}

const ownFile = askStackTrace()

function askStackTrace(): string {
  const before = Error.prepareStackTrace?.bind(Error)
  try {
    Error.prepareStackTrace = (_error, callSites) => callSites
    const [site] = new Error('for its stack').stack as unknown as NodeJS.CallSite[]
    const name = site?.getFileName() ?? ''
    return name.startsWith('file:') ? fileURLToPath(name) : name
  } finally {
    Error.prepareStackTrace = before
  }
}
