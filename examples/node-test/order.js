// The code under test: orders, and gives up after 400 ms without an answer.
const LIMIT_MS = 400

export async function order(stockUrl, id) {
  const answer = await fetch(`${stockUrl}/orders/${id}`, { method: 'PUT', signal: AbortSignal.timeout(LIMIT_MS) })
  if (!answer.ok) throw new Error(`the stock answered ${answer.status}`)
  return answer.text()
}
