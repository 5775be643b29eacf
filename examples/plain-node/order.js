// The code under test: orders, and tries again until there is an answer. An answer is waited for 100 ms.
const LIMIT_MS = 100
const PAUSE_MS = 20
const ATTEMPTS = 50

export async function order(url) {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(url, { method: 'PUT', signal: AbortSignal.timeout(LIMIT_MS) })
      if (!answer.ok) throw new Error(`the stock answered ${answer.status}`)
      return await answer.text()
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}
