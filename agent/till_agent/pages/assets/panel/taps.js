// The second tap of two is for what the first one was on: of a finger that trembles, it must not reach the button that
// came up under it meanwhile, and finish a receipt, agree to a consent or give back everything.

const NEAR_PX = 30; // Keys of the pad are further apart, and may follow each other as fast as anybody can.

export function watchTaps(target) {
  let first = { pressed: null, key: "", x: -Infinity, y: 0 };
  const isSame = (pressed, key) => pressed === first.pressed || (key && key === first.key); // A screen may draw it anew.
  target.addEventListener(
    "click",
    (event) => {
      const pressed = event.target.closest("button, a");
      const key = pressed?.dataset.key ?? "";
      const near = Math.hypot(event.clientX - first.x, event.clientY - first.y) < NEAR_PX;
      if (event.detail > 1 && near && pressed && !isSame(pressed, key)) {
        event.preventDefault();
        event.stopImmediatePropagation();
      } else if (event.detail <= 1 || !near) {
        first = { pressed, key, x: event.clientX, y: event.clientY };
      }
    },
    true,
  );
}
