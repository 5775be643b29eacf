// `faultline demo --script`: plays the situations one after the other, says what was seen, and checks it.
import { V1Client } from '../../admin/client/v1-client.ts'
import type { Output } from '../output.ts'
import { healed, situations, type Outcome, type Situation } from './situations.ts'
import { seenText, Tally } from './tally.ts'
import type { World } from './world.ts'

/** Of each situation: dozens of orders. */
const SITUATION_MS = 1200

/** Connections are made and code is compiled, before anything is measured. */
const WARM_UP_MS = 300

/**
 * @param program what the commands begin with
 * @returns what was not as told, a line each
 */
export async function playScript(world: World, out: Output, program: string): Promise<string[]> {
  const client = new V1Client(world.api)
  const wrong: string[] = []
  const all = situations('missing' in world.database ? ['payments'] : ['payments', 'db'])
  try {
    await world.application.run(new Tally(), AbortSignal.timeout(WARM_UP_MS))
    for (const [index, situation] of all.entries()) {
      const title = `${index + 1}. ${situation.title}`
      if (situation.needsDatabase && 'missing' in world.database) {
        out.line(out.paint('bold', title))
        out.line(`   left out: there is no Postgres, as ${world.database.missing}`)
        out.line()
        continue
      }
      wrong.push(...(await play(title, situation, client, world, out, program)))
      if (situation !== all.at(-1)) await client.heal()
    }
    wrong.push(...(await play(`And then: ${healed.title}`, healed, client, world, out, program)))
  } finally {
    await client.close()
  }
  return wrong
}

async function play(
  title: string,
  situation: Situation,
  client: V1Client,
  world: World,
  out: Output,
  program: string,
): Promise<string[]> {
  out.line(out.paint('bold', title))
  if (situation.command !== undefined) out.line(`   ${out.paint('cyan', `${program} ${situation.command}`)}`)
  await situation.break(client)
  const outcome = await observe(world)
  out.line(`   ${seenText(outcome.seen).trimStart()}`)
  const wrong: string[] = []
  for (const claim of situation.claims) {
    if (claim.needsDatabase && 'missing' in world.database) continue
    const holds = claim.holds(outcome)
    out.line(`   ${holds ? out.paint('green', 'as told:') : out.paint('red', 'NOT SO:')} ${claim.text}`)
    if (!holds) wrong.push(`${title}: ${claim.text}`)
  }
  out.line()
  return wrong
}

/** Takes orders for a while. No order is under way when it begins and when it ends, so that figures can be compared. */
async function observe({ application, database }: World): Promise<Outcome> {
  const tally = new Tally()
  const countStored = async (): Promise<number | undefined> => ('orders' in database ? database.orders() : undefined)
  const before = await countStored()
  await application.run(tally, AbortSignal.timeout(SITUATION_MS))
  const seen = tally.take()
  const after = await countStored()
  return { seen, stored: before === undefined || after === undefined ? undefined : after - before }
}
