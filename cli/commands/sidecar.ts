// `faultline sidecar`: an application's connections go through Faultline without its knowledge, by rules of nftables.
import { platform } from 'node:process'
import { applyRules, tableNames, withoutTable } from '../../proxy/faults/packet-loss/kernel/nft.ts'
import { defineCommand } from '../command.ts'
import { CommandError } from '../errors.ts'
import { integer, repeatable, required, type Reader } from '../flags.ts'
import { usersListeningOn } from '../sidecar/listeners.ts'
import { checkRedirections, redirection, targetText, type Redirection } from '../sidecar/redirection.ts'
import { sidecarRules, TABLE } from '../sidecar/ruleset.ts'

/** The highest one stands for "no user" (chown(2)). */
const uid: Reader<number> = { ...integer(0, 2 ** 32 - 2), placeholder: 'UID' }

const flags = {
  port: repeatable(redirection, {
    short: 'p',
    describe: "Connections to PORT, at ADDR or anywhere, reach the proxy on this machine's PROXYPORT.",
  }),
  uid: required(uid, { describe: "Faultline's user, whose own connections go on as they are." }),
}

export const sidecarRulesCommand = defineCommand({
  name: 'sidecar rules',
  describe: 'Prints the rules that redirect connections to proxies, for nft.',
  arguments: {},
  flags,
  example: 'sidecar rules --port 5432:15432 --uid 8474',
  async run({ port, uid: user }, { out }) {
    checkRedirections(port)
    out.write(sidecarRules({ redirections: port, uid: user }))
  },
})

export const sidecarApply = defineCommand({
  name: 'sidecar apply',
  describe: 'Redirects connections to proxies, in place of what was redirected before.',
  arguments: {},
  flags,
  example: 'sidecar apply --port 5432:15432 --uid 8474',
  notes: async () => 'Needs Linux, nft (package nftables) and the capability CAP_NET_ADMIN. Open connections stay.',
  async run({ port, uid: user }, { out }) {
    checkRedirections(port)
    explained('apply', () => {
      for (const { proxyPort } of port) refuseLoop(proxyPort, user)
      applyRules(sidecarRules({ redirections: port, uid: user }))
    })
    for (const each of port) out.line(`Redirected: ${redirectionText(each)}, but for uid ${user}`)
  },
})

export const sidecarRemove = defineCommand({
  name: 'sidecar remove',
  describe: 'Ends all redirection; Faultline need not run.',
  arguments: {},
  flags: {},
  example: 'sidecar remove',
  notes: async () => `The same as: nft delete table inet ${TABLE}`,
  async run(_values, { out }) {
    const wasThere = explained('remove', () => {
      if (!tableNames().includes(TABLE)) return false
      applyRules(withoutTable(TABLE))
      return true
    })
    out.line(wasThere ? `Removed table ${TABLE}` : `There is no table ${TABLE}: nothing is redirected`)
  },
})

function redirectionText({ address, port, proxyPort }: Redirection): string {
  return `${targetText(address, port)} → port ${proxyPort}`
}

/** A proxy of another user would get its own connections, and go round in circles until it has no sockets left. */
function refuseLoop(proxyPort: number, user: number): void {
  const others = usersListeningOn(proxyPort).filter((other) => other !== user)
  if (others.length === 0) return
  const whose = `port ${proxyPort} is listened on by uid ${others.join(', ')}`
  throw new Error(`needs --uid of the user that runs Faultline, got ${user}: ${whose}`)
}

/** @throws CommandError that tells what the action lacks */
function explained<Result>(word: 'apply' | 'remove', action: () => Result): Result {
  try {
    if (platform !== 'linux') throw new Error(`needs Linux, this is ${platform}`)
    return action()
  } catch (error) {
    throw new CommandError(`sidecar ${word} ${(error as Error).message}`, { cause: error })
  }
}
