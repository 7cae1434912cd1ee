// What a return would give back, told before it is made: the agent's own sums (till_loyalty.returns), in whole numbers
// without rounding by the machine. The agent's answer is what counts; this is what the cashier agrees to.

const big = (value) => BigInt(value || 0);

class Progress {
  constructor(sold) {
    this.number = sold.number;
    this.whole = big(sold.amount_minor);
    this.sold = big(sold.quantity_thousandths);
    this.payable = big(sold.payable_minor);
    this.redeemed = big(sold.redeemed_points);
    this.earned = big(sold.earned_points);
    this.quantity = this.amount = this.money = this.back = this.taken = 0n;
  }

  add(row) {
    this.quantity += big(row.quantity_thousandths);
    this.amount += big(row.amount_minor);
    this.money += big(row.money_back_minor);
    this.back += big(row.points_back);
    this.taken += big(row.points_taken);
  }

  share(quantity) {
    const left = this.whole - this.amount;
    if (quantity === this.sold - this.quantity && (quantity || !this.sold)) return left;
    const due = quantity ? (this.whole * (this.quantity + quantity)) / this.sold : 0n;
    const more = due > this.amount ? due - this.amount : 0n;
    return more < left ? more : left;
  }

  take(quantity, amount) {
    const after = this.amount + amount;
    let money = this.payable;
    let back = this.redeemed;
    let taken = this.earned;
    if (after !== this.whole) {
      money = after - ((this.whole - this.payable) * after) / this.whole;
      back = (this.redeemed * after) / this.whole;
      const [share, of] = this.payable ? [money, this.payable] : [after, this.whole];
      taken = (this.earned * share + of - 1n) / of;
    }
    const row = {
      number: this.number,
      quantity_thousandths: quantity,
      amount_minor: amount,
      money_back_minor: atLeast0(money - this.money),
      points_back: atLeast0(back - this.back),
      points_taken: atLeast0(taken - this.taken),
    };
    this.add(row);
    return row;
  }
}

const atLeast0 = (value) => (value > 0n ? value : 0n);

// What comes back for `wishes` ({number: thousandths}; null: everything left) of a sale with its `calculation`, after
// the `earlier` reversals. Whole numbers; lines that the sale doesn't have, or too much of one, are left out.
export function preview(calculation, earlier, wishes = null) {
  const lines = new Map((calculation.lines || []).map((line) => [line.number, new Progress(line)]));
  for (const reversal of earlier) for (const row of reversal.lines) lines.get(row.number)?.add(row);
  const total = { amount_minor: 0n, money_back_minor: 0n, points_back: 0n, points_taken: 0n };
  const rows = [];
  for (const line of lines.values()) {
    const left = line.sold - line.quantity;
    const quantity = wishes === null ? left : big(wishes[line.number]);
    if (quantity < 0n || quantity > left) continue;
    const amount = line.share(quantity);
    if (!quantity && !(wishes === null && amount)) continue;
    const row = line.take(quantity, amount);
    rows.push({ number: line.number, amount_minor: Number(row.amount_minor) });
    for (const name of Object.keys(total)) total[name] += row[name];
  }
  return { rows, ...Object.fromEntries(Object.entries(total).map(([name, value]) => [name, Number(value)])) };
}
