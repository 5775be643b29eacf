// The Dockerfile as far as tests need it: what its last stage copies, and what an engine would run, and how.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DockerfileParser, type Copy, type Env, type Instruction } from 'dockerfile-ast'
import { ROOT } from '../cli/support.ts'

export const dockerfileText = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')

export interface Copied {
  /** The stage that it comes from. */
  readonly from: string
  readonly sources: readonly string[]
  readonly to: string
}

export interface Image {
  /** Of each stage, in their order. */
  readonly bases: readonly string[]
  readonly copies: readonly Copied[]
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
  readonly user: { readonly uid: number; readonly gid: number }
  readonly ports: readonly string[]
  readonly labels: string
  /** What runs, entrypoint and command. */
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

/** @throws Error if something is missing, or not in the form that needs no shell */
export function readImage(): Image {
  const instructions = DockerfileParser.parse(dockerfileText).getInstructions()
  const last = instructions.slice(instructions.findLastIndex(isBase))
  const words = (keyword: string): string[] => wordsOf(only(last, keyword))
  const [uid, gid] = words('USER').join(' ').split(':').map(Number)
  if (!Number.isInteger(uid) || !Number.isInteger(gid)) throw new Error('USER: expected two numbers, user and group')
  const [test = '', ...healthcheck] = argumentsOf(only(last, 'HEALTHCHECK')).split(/ (.*)/s)
  if (test !== 'CMD') throw new Error(`HEALTHCHECK: expected CMD, got ${test}`)
  return {
    bases: instructions.filter(isBase).map((base) => wordsOf(base).find((word) => !word.startsWith('--')) ?? ''),
    copies: last.filter((each): each is Copy => each.getKeyword() === 'COPY').map(copiedBy),
    environment: Object.fromEntries(
      last.filter((each): each is Env => each.getKeyword() === 'ENV').flatMap(variablesOf),
    ),
    folder: words('WORKDIR').join(' '),
    user: { uid: uid!, gid: gid! },
    ports: words('EXPOSE'),
    labels: argumentsOf(only(last, 'LABEL')),
    command: [...execForm(only(last, 'ENTRYPOINT')), ...execForm(only(last, 'CMD'))],
    healthcheck: JSON.parse(healthcheck.join('')) as string[],
  }
}

function isBase(instruction: Instruction): boolean {
  return instruction.getKeyword() === 'FROM'
}

function variablesOf(instruction: Env): [name: string, value: string][] {
  return instruction.getProperties().map((property) => [property.getName(), property.getValue() ?? ''])
}

function only(instructions: readonly Instruction[], keyword: string): Instruction {
  const [found, ...others] = instructions.filter((instruction) => instruction.getKeyword() === keyword)
  if (found && others.length === 0) return found
  throw new Error(`expected one ${keyword}, got ${found ? others.length + 1 : 'none'}`)
}

function argumentsOf(instruction: Instruction): string {
  return instruction.getArgumentsContent() ?? ''
}

function wordsOf(instruction: Instruction): string[] {
  return instruction.getArguments().map((word) => word.getValue())
}

/** @throws SyntaxError for the form that a shell runs, which would take the signals */
function execForm(instruction: Instruction): string[] {
  return JSON.parse(argumentsOf(instruction)) as string[]
}

function copiedBy(instruction: Copy): Copied {
  const paths = wordsOf(instruction) // without flags
  return { from: instruction.getFromFlag()?.getValue() ?? '', sources: paths.slice(0, -1), to: paths.at(-1) ?? '' }
}
