// Tillside: the scenario for Frontol 5 and 6. How to connect it: docs/how-to/connect-frontol-script.md
//
// ECMAScript 3 and plain ASCII throughout: any JScript engine takes it, in whatever encoding it is pasted or loaded.
// `tillside frontol script install` fills the settings in and keeps yours when it puts a newer version in place.

// <settings> One line each, values as JSON. Change what is between here and </settings>; all below comes with Tillside.
var tillsideSettings = {
    // Where the agent listens on this machine, and the token of this program. Filled in by the installation.
    port: 17532,
    token: "",

    // Words of this script for the cashier: "ru", "kk", "ky", "uk" or "en". The agent's own come in this language too.
    language: "ru",

    // Milliseconds: to connect; for an answer to a card, a calculation, a reservation; for a sale to be written down;
    // and for how long nobody is asked after no answer came, so that a stopped agent doesn't slow the till down.
    connectMs: 300,
    answerMs: 2000,
    saleMs: 5000,
    pauseMs: 15000,

    // How points pay: "payment" (a payment type of Frontol's), "discount" (a discount of Frontol's), or "none".
    redemption: "payment",
    // "payment": the code of the payment type for points. 0: points don't pay yet.
    paymentCode: 0,
    // "discount": the name of the marketing event whose discount is worked out by tillsidePointsDiscount.
    redeemEvent: "",
    // The name of the marketing event whose discount is worked out by tillsidePositionDiscount or tillsideDiscount.
    // Empty: discounts of the loyalty programme are not given.
    discountEvent: "",
    // For how many minutes points stay reserved for a receipt.
    holdMinutes: 30,

    // Where the slip's lines go: "receipt" (Frontol's receipt, by tillsidePrintSlip), "agent" (the agent's printer),
    // "both", or "none".
    slip: "receipt",

    // What the cashier is shown in a window: "all", "warnings" or "nothing". Questions are always shown.
    show: "all",

    // What a receipt is called at the agent: "number" (till, shift and number, as in the sales report), or "frontol" (the
    // document's own id, if this Frontol shows one to scenarios).
    receiptUid: "number",

    // Codes of Frontol's document types that are sales and returns.
    saleTypes: [1],
    returnTypes: [2],
    // Frontol's payment types by code: "cash", "card"; those that are not named are "other".
    payments: {"1": "cash", "4": "card"},
    // Codes of the card types that are members' cards. Empty: all.
    cardTypes: [],
    // What a line's category is made of: "code" or "name" of the groups that the goods are in, or "none"; and whether
    // Frontol lists the nearest group first ("nearest") or the root ("root").
    categories: "code",
    categoriesFrom: "nearest",
    // Whether the goods' lowest price in Frontol holds for points too.
    minimumPrices: true
};
// </settings>

var tillside = (function () {
    var VERSION = "1";
    var CLIENT = "frontol-script";
    var UNKNOWN_LIMIT = 20;
    var SLIP_LIMIT = 60;
    var ANSWER_LIMIT = 4000000;
    var DEPTH_LIMIT = 60;
    var TRIES = 3;
    var LEAST_LEFT_MS = 60000;
    var STOP = {};
    var own = false;
    var memory = forgotten();
    var gone = null;
    var pausedUntil = 0;
    var pointsExponent = -1;
    var saidDead = false;

    function forgotten() {
        return { quoteBody: "", quote: null, refusal: null, refusedCard: "" };
    }

    // ---- What the script itself says. All else that the cashier reads is said by the agent.

    var WORDS = {
        ru: {
            dead: "\u0411\u043E\u043D\u0443\u0441\u043D\u0430\u044F \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430 \u043D\u0435 \u043E\u0442\u0432\u0435\u0447\u0430\u0435\u0442. \u041F\u0440\u043E\u0434\u0430\u0432\u0430\u0439\u0442\u0435 \u0431\u0435\u0437 \u043D\u0435\u0451.",
            noDocument: "\u0421\u043D\u0430\u0447\u0430\u043B\u0430 \u043E\u0442\u043A\u0440\u043E\u0439\u0442\u0435 \u0447\u0435\u043A.",
            noMember: "\u0421\u043D\u0430\u0447\u0430\u043B\u0430 \u0441\u0447\u0438\u0442\u0430\u0439\u0442\u0435 \u043A\u0430\u0440\u0442\u0443 \u043F\u043E\u043A\u0443\u043F\u0430\u0442\u0435\u043B\u044F \u0438\u043B\u0438 \u0432\u0432\u0435\u0434\u0438\u0442\u0435 \u0435\u0433\u043E \u0442\u0435\u043B\u0435\u0444\u043E\u043D.",
            askPhone: "\u0422\u0435\u043B\u0435\u0444\u043E\u043D \u043F\u043E\u043A\u0443\u043F\u0430\u0442\u0435\u043B\u044F",
            askMoney: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043C\u043E\u0436\u043D\u043E \u043E\u043F\u043B\u0430\u0442\u0438\u0442\u044C \u0434\u043E {0}. \u0421\u043A\u043E\u043B\u044C\u043A\u043E \u043E\u043F\u043B\u0430\u0442\u0438\u0442\u044C?",
            askPin: "\u041F\u0418\u041D-\u043A\u043E\u0434 \u043F\u043E\u043A\u0443\u043F\u0430\u0442\u0435\u043B\u044F",
            askCode: "\u041A\u043E\u0434 \u0438\u0437 \u0441\u043E\u043E\u0431\u0449\u0435\u043D\u0438\u044F \u043F\u043E\u043A\u0443\u043F\u0430\u0442\u0435\u043B\u044E",
            askCoupon: "\u041A\u043E\u0434 \u043A\u0443\u043F\u043E\u043D\u0430",
            notMoney: "\u0412\u0432\u0435\u0434\u0438\u0442\u0435 \u0441\u0443\u043C\u043C\u0443 \u0446\u0438\u0444\u0440\u0430\u043C\u0438, \u043D\u0430\u043F\u0440\u0438\u043C\u0435\u0440 150,50.",
            paysLess: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043C\u043E\u0436\u043D\u043E \u043E\u043F\u043B\u0430\u0442\u0438\u0442\u044C \u0442\u043E\u043B\u044C\u043A\u043E {0}.",
            paysNothing: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043E\u043F\u043B\u0430\u0442\u0438\u0442\u044C \u043D\u0435\u043B\u044C\u0437\u044F.",
            lost: "\u041E\u043F\u043B\u0430\u0442\u0443 \u0431\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043D\u0435\u043B\u044C\u0437\u044F \u043F\u043E\u0434\u0442\u0432\u0435\u0440\u0434\u0438\u0442\u044C. \u0423\u0434\u0430\u043B\u0438\u0442\u0435 \u0435\u0451 \u0438 \u0432\u043E\u0437\u044C\u043C\u0438\u0442\u0435 \u0434\u0435\u043D\u044C\u0433\u0438.",
            unsent: "\u0427\u0435\u043A {0} \u043D\u0435 \u043F\u043E\u043F\u0430\u043B \u0432 \u0431\u043E\u043D\u0443\u0441\u043D\u0443\u044E \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0443. \u0415\u0433\u043E \u043D\u0430\u0439\u0434\u0443\u0442 \u043F\u043E \u043E\u0442\u0447\u0451\u0442\u0443 \u043E \u043F\u0440\u043E\u0434\u0430\u0436\u0430\u0445.",
            noPoints: "\u0411\u043E\u043D\u0443\u0441\u043D\u0430\u044F \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430 \u043D\u0435 \u043E\u0442\u0432\u0435\u0447\u0430\u0435\u0442: \u0431\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u0441\u0435\u0439\u0447\u0430\u0441 \u043E\u043F\u043B\u0430\u0442\u0438\u0442\u044C \u043D\u0435\u043B\u044C\u0437\u044F.",
            forgot: "\u041F\u043E\u043A\u0443\u043F\u0430\u0442\u0435\u043B\u044C \u0443\u0431\u0440\u0430\u043D \u0438\u0437 \u0447\u0435\u043A\u0430.",
            member: "{0}. \u0411\u043E\u043D\u0443\u0441\u043E\u0432: {1}, \u043C\u043E\u0436\u043D\u043E \u043F\u043E\u0442\u0440\u0430\u0442\u0438\u0442\u044C: {2}."
        },
        kk: {
            dead: "\u0411\u043E\u043D\u0443\u0441\u0442\u044B\u049B \u0431\u0430\u0493\u0434\u0430\u0440\u043B\u0430\u043C\u0430 \u0436\u0430\u0443\u0430\u043F \u0431\u0435\u0440\u043C\u0435\u0439\u0434\u0456. \u041E\u043D\u0441\u044B\u0437 \u0441\u0430\u0442\u044B\u04A3\u044B\u0437.",
            noDocument: "\u0410\u043B\u0434\u044B\u043C\u0435\u043D \u0447\u0435\u043A\u0442\u0456 \u0430\u0448\u044B\u04A3\u044B\u0437.",
            noMember: "\u0410\u043B\u0434\u044B\u043C\u0435\u043D \u0441\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0448\u044B\u043D\u044B\u04A3 \u043A\u0430\u0440\u0442\u0430\u0441\u044B\u043D \u043E\u049B\u044B\u0442\u044B\u04A3\u044B\u0437 \u043D\u0435\u043C\u0435\u0441\u0435 \u0442\u0435\u043B\u0435\u0444\u043E\u043D\u044B\u043D \u0435\u043D\u0433\u0456\u0437\u0456\u04A3\u0456\u0437.",
            askPhone: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0448\u044B\u043D\u044B\u04A3 \u0442\u0435\u043B\u0435\u0444\u043E\u043D\u044B",
            askMoney: "\u0411\u043E\u043D\u0443\u0441\u043F\u0435\u043D {0} \u0434\u0435\u0439\u0456\u043D \u0442\u04E9\u043B\u0435\u0443\u0433\u0435 \u0431\u043E\u043B\u0430\u0434\u044B. \u049A\u0430\u043D\u0448\u0430 \u0442\u04E9\u043B\u0435\u043D\u0435\u0434\u0456?",
            askPin: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0448\u044B\u043D\u044B\u04A3 \u041F\u0418\u041D-\u043A\u043E\u0434\u044B",
            askCode: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0448\u044B\u0493\u0430 \u043A\u0435\u043B\u0433\u0435\u043D \u0445\u0430\u0431\u0430\u0440\u043B\u0430\u043C\u0430\u0434\u0430\u0493\u044B \u043A\u043E\u0434",
            askCoupon: "\u041A\u0443\u043F\u043E\u043D \u043A\u043E\u0434\u044B",
            notMoney: "\u0421\u043E\u043C\u0430\u043D\u044B \u0446\u0438\u0444\u0440\u043C\u0435\u043D \u0435\u043D\u0433\u0456\u0437\u0456\u04A3\u0456\u0437, \u043C\u044B\u0441\u0430\u043B\u044B 150,50.",
            paysLess: "\u0411\u043E\u043D\u0443\u0441\u043F\u0435\u043D \u0442\u0435\u043A {0} \u0442\u04E9\u043B\u0435\u0443\u0433\u0435 \u0431\u043E\u043B\u0430\u0434\u044B.",
            paysNothing: "\u0411\u043E\u043D\u0443\u0441\u043F\u0435\u043D \u0442\u04E9\u043B\u0435\u0443\u0433\u0435 \u0431\u043E\u043B\u043C\u0430\u0439\u0434\u044B.",
            lost: "\u0411\u043E\u043D\u0443\u0441\u043F\u0435\u043D \u0442\u04E9\u043B\u0435\u043C\u0434\u0456 \u0440\u0430\u0441\u0442\u0430\u0443 \u043C\u04AF\u043C\u043A\u0456\u043D \u0435\u043C\u0435\u0441. \u041E\u043D\u044B \u04E9\u0448\u0456\u0440\u0456\u043F, \u0430\u049B\u0448\u0430 \u0430\u043B\u044B\u04A3\u044B\u0437.",
            unsent: "{0} \u0447\u0435\u0433\u0456 \u0431\u043E\u043D\u0443\u0441\u0442\u044B\u049B \u0431\u0430\u0493\u0434\u0430\u0440\u043B\u0430\u043C\u0430\u0493\u0430 \u0442\u04AF\u0441\u043F\u0435\u0434\u0456. \u041E\u043D\u044B \u0441\u0430\u0442\u0443 \u0435\u0441\u0435\u0431\u0456\u043D\u0435\u043D \u0442\u0430\u0431\u0430\u0434\u044B.",
            noPoints: "\u0411\u043E\u043D\u0443\u0441\u0442\u044B\u049B \u0431\u0430\u0493\u0434\u0430\u0440\u043B\u0430\u043C\u0430 \u0436\u0430\u0443\u0430\u043F \u0431\u0435\u0440\u043C\u0435\u0439\u0434\u0456: \u049B\u0430\u0437\u0456\u0440 \u0431\u043E\u043D\u0443\u0441\u043F\u0435\u043D \u0442\u04E9\u043B\u0435\u0443\u0433\u0435 \u0431\u043E\u043B\u043C\u0430\u0439\u0434\u044B.",
            forgot: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0448\u044B \u0447\u0435\u043A\u0442\u0435\u043D \u0430\u043B\u044B\u043D\u0434\u044B.",
            member: "{0}. \u0411\u043E\u043D\u0443\u0441: {1}, \u0436\u04B1\u043C\u0441\u0430\u0443\u0493\u0430 \u0431\u043E\u043B\u0430\u0434\u044B: {2}."
        },
        ky: {
            dead: "\u0411\u043E\u043D\u0443\u0441 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430\u0441\u044B \u0436\u043E\u043E\u043F \u0431\u0435\u0440\u0431\u0435\u0439\u0442. \u0410\u043D\u0441\u044B\u0437 \u0441\u0430\u0442\u044B\u04A3\u044B\u0437.",
            noDocument: "\u0410\u0434\u0435\u0433\u0435\u043D\u0434\u0435 \u0447\u0435\u043A\u0442\u0438 \u0430\u0447\u044B\u04A3\u044B\u0437.",
            noMember: "\u0410\u0434\u0435\u0433\u0435\u043D\u0434\u0435 \u0441\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0443\u0447\u0443\u043D\u0443\u043D \u043A\u0430\u0440\u0442\u0430\u0441\u044B\u043D \u043E\u043A\u0443\u0442\u0443\u04A3\u0443\u0437 \u0436\u0435 \u0442\u0435\u043B\u0435\u0444\u043E\u043D\u0443\u043D \u043A\u0438\u0440\u0433\u0438\u0437\u0438\u04A3\u0438\u0437.",
            askPhone: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0443\u0447\u0443\u043D\u0443\u043D \u0442\u0435\u043B\u0435\u0444\u043E\u043D\u0443",
            askMoney: "\u0411\u043E\u043D\u0443\u0441 \u043C\u0435\u043D\u0435\u043D {0} \u0447\u0435\u0439\u0438\u043D \u0442\u04E9\u043B\u04E9\u04E9\u0433\u04E9 \u0431\u043E\u043B\u043E\u0442. \u041A\u0430\u043D\u0447\u0430 \u0442\u04E9\u043B\u04E9\u043D\u04E9\u0442?",
            askPin: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0443\u0447\u0443\u043D\u0443\u043D \u041F\u0418\u041D-\u043A\u043E\u0434\u0443",
            askCode: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0443\u0447\u0443\u0433\u0430 \u043A\u0435\u043B\u0433\u0435\u043D \u0431\u0438\u043B\u0434\u0438\u0440\u04AF\u04AF\u0434\u04E9\u0433\u04AF \u043A\u043E\u0434",
            askCoupon: "\u041A\u0443\u043F\u043E\u043D\u0434\u0443\u043D \u043A\u043E\u0434\u0443",
            notMoney: "\u0421\u0443\u043C\u043C\u0430\u043D\u044B \u0441\u0430\u043D \u043C\u0435\u043D\u0435\u043D \u043A\u0438\u0440\u0433\u0438\u0437\u0438\u04A3\u0438\u0437, \u043C\u0438\u0441\u0430\u043B\u044B 150,50.",
            paysLess: "\u0411\u043E\u043D\u0443\u0441 \u043C\u0435\u043D\u0435\u043D {0} \u0433\u0430\u043D\u0430 \u0442\u04E9\u043B\u04E9\u04E9\u0433\u04E9 \u0431\u043E\u043B\u043E\u0442.",
            paysNothing: "\u0411\u043E\u043D\u0443\u0441 \u043C\u0435\u043D\u0435\u043D \u0442\u04E9\u043B\u04E9\u04E9\u0433\u04E9 \u0431\u043E\u043B\u0431\u043E\u0439\u0442.",
            lost: "\u0411\u043E\u043D\u0443\u0441 \u043C\u0435\u043D\u0435\u043D \u0442\u04E9\u043B\u04E9\u043C\u0434\u04AF \u044B\u0440\u0430\u0441\u0442\u043E\u043E \u043C\u04AF\u043C\u043A\u04AF\u043D \u044D\u043C\u0435\u0441. \u0410\u043D\u044B \u04E9\u0447\u04AF\u0440\u04AF\u043F, \u0430\u043A\u0447\u0430 \u0430\u043B\u044B\u04A3\u044B\u0437.",
            unsent: "{0} \u0447\u0435\u0433\u0438 \u0431\u043E\u043D\u0443\u0441 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430\u0441\u044B\u043D\u0430 \u0442\u04AF\u0448\u043A\u04E9\u043D \u0436\u043E\u043A. \u0410\u043D\u044B \u0441\u0430\u0442\u0443\u0443 \u043E\u0442\u0447\u0435\u0442\u0443\u043D\u0430\u043D \u0442\u0430\u0431\u044B\u0448\u0430\u0442.",
            noPoints: "\u0411\u043E\u043D\u0443\u0441 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430\u0441\u044B \u0436\u043E\u043E\u043F \u0431\u0435\u0440\u0431\u0435\u0439\u0442: \u0430\u0437\u044B\u0440 \u0431\u043E\u043D\u0443\u0441 \u043C\u0435\u043D\u0435\u043D \u0442\u04E9\u043B\u04E9\u04E9\u0433\u04E9 \u0431\u043E\u043B\u0431\u043E\u0439\u0442.",
            forgot: "\u0421\u0430\u0442\u044B\u043F \u0430\u043B\u0443\u0443\u0447\u0443 \u0447\u0435\u043A\u0442\u0435\u043D \u0430\u043B\u044B\u043D\u0434\u044B.",
            member: "{0}. \u0411\u043E\u043D\u0443\u0441: {1}, \u0436\u0443\u043C\u0448\u043E\u043E\u0433\u043E \u0431\u043E\u043B\u043E\u0442: {2}."
        },
        uk: {
            dead: "\u0411\u043E\u043D\u0443\u0441\u043D\u0430 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u0430 \u043D\u0435 \u0432\u0456\u0434\u043F\u043E\u0432\u0456\u0434\u0430\u0454. \u041F\u0440\u043E\u0434\u0430\u0432\u0430\u0439\u0442\u0435 \u0431\u0435\u0437 \u043D\u0435\u0457.",
            noDocument: "\u0421\u043F\u043E\u0447\u0430\u0442\u043A\u0443 \u0432\u0456\u0434\u043A\u0440\u0438\u0439\u0442\u0435 \u0447\u0435\u043A.",
            noMember: "\u0421\u043F\u043E\u0447\u0430\u0442\u043A\u0443 \u0437\u0447\u0438\u0442\u0430\u0439\u0442\u0435 \u043A\u0430\u0440\u0442\u043A\u0443 \u043F\u043E\u043A\u0443\u043F\u0446\u044F \u0430\u0431\u043E \u0432\u0432\u0435\u0434\u0456\u0442\u044C \u0439\u043E\u0433\u043E \u0442\u0435\u043B\u0435\u0444\u043E\u043D.",
            askPhone: "\u0422\u0435\u043B\u0435\u0444\u043E\u043D \u043F\u043E\u043A\u0443\u043F\u0446\u044F",
            askMoney: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043C\u043E\u0436\u043D\u0430 \u0441\u043F\u043B\u0430\u0442\u0438\u0442\u0438 \u0434\u043E {0}. \u0421\u043A\u0456\u043B\u044C\u043A\u0438 \u0441\u043F\u043B\u0430\u0442\u0438\u0442\u0438?",
            askPin: "\u041F\u0406\u041D-\u043A\u043E\u0434 \u043F\u043E\u043A\u0443\u043F\u0446\u044F",
            askCode: "\u041A\u043E\u0434 \u0456\u0437 \u043F\u043E\u0432\u0456\u0434\u043E\u043C\u043B\u0435\u043D\u043D\u044F \u043F\u043E\u043A\u0443\u043F\u0446\u0435\u0432\u0456",
            askCoupon: "\u041A\u043E\u0434 \u043A\u0443\u043F\u043E\u043D\u0430",
            notMoney: "\u0412\u0432\u0435\u0434\u0456\u0442\u044C \u0441\u0443\u043C\u0443 \u0446\u0438\u0444\u0440\u0430\u043C\u0438, \u043D\u0430\u043F\u0440\u0438\u043A\u043B\u0430\u0434 150,50.",
            paysLess: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043C\u043E\u0436\u043D\u0430 \u0441\u043F\u043B\u0430\u0442\u0438\u0442\u0438 \u043B\u0438\u0448\u0435 {0}.",
            paysNothing: "\u0411\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u0441\u043F\u043B\u0430\u0442\u0438\u0442\u0438 \u043D\u0435 \u043C\u043E\u0436\u043D\u0430.",
            lost: "\u041E\u043F\u043B\u0430\u0442\u0443 \u0431\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u043D\u0435 \u043C\u043E\u0436\u043D\u0430 \u043F\u0456\u0434\u0442\u0432\u0435\u0440\u0434\u0438\u0442\u0438. \u0412\u0438\u0434\u0430\u043B\u0456\u0442\u044C \u0457\u0457 \u0442\u0430 \u0432\u0456\u0437\u044C\u043C\u0456\u0442\u044C \u0433\u0440\u043E\u0448\u0456.",
            unsent: "\u0427\u0435\u043A {0} \u043D\u0435 \u043F\u043E\u0442\u0440\u0430\u043F\u0438\u0432 \u0434\u043E \u0431\u043E\u043D\u0443\u0441\u043D\u043E\u0457 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u0438. \u0419\u043E\u0433\u043E \u0437\u043D\u0430\u0439\u0434\u0443\u0442\u044C \u0437\u0430 \u0437\u0432\u0456\u0442\u043E\u043C \u043F\u0440\u043E \u043F\u0440\u043E\u0434\u0430\u0436\u0456.",
            noPoints: "\u0411\u043E\u043D\u0443\u0441\u043D\u0430 \u043F\u0440\u043E\u0433\u0440\u0430\u043C\u0430 \u043D\u0435 \u0432\u0456\u0434\u043F\u043E\u0432\u0456\u0434\u0430\u0454: \u0431\u043E\u043D\u0443\u0441\u0430\u043C\u0438 \u0437\u0430\u0440\u0430\u0437 \u0441\u043F\u043B\u0430\u0442\u0438\u0442\u0438 \u043D\u0435 \u043C\u043E\u0436\u043D\u0430.",
            forgot: "\u041F\u043E\u043A\u0443\u043F\u0446\u044F \u043F\u0440\u0438\u0431\u0440\u0430\u043D\u043E \u0437 \u0447\u0435\u043A\u0430.",
            member: "{0}. \u0411\u043E\u043D\u0443\u0441\u0456\u0432: {1}, \u043C\u043E\u0436\u043D\u0430 \u0432\u0438\u0442\u0440\u0430\u0442\u0438\u0442\u0438: {2}."
        },
        en: {
            dead: "The loyalty programme does not answer. Sell without it.",
            noDocument: "Open a receipt first.",
            noMember: "Scan the customer's card or enter their phone first.",
            askPhone: "The customer's phone",
            askMoney: "Points can pay up to {0}. How much shall they pay?",
            askPin: "The customer's PIN",
            askCode: "The code from the customer's message",
            askCoupon: "The coupon's code",
            notMoney: "Enter the sum in digits, such as 150.50.",
            paysLess: "Points can pay only {0}.",
            paysNothing: "Points can't pay here.",
            lost: "The payment by points can't be confirmed. Remove it and take money.",
            unsent: "Receipt {0} did not reach the loyalty programme. It is found by the sales report.",
            noPoints: "The loyalty programme does not answer: points can't pay now.",
            forgot: "The customer was taken off the receipt.",
            member: "{0}. Points: {1}, may be spent: {2}."
        }
    };

    function language() {
        var wanted = setting("language", "ru");
        return WORDS[wanted] ? wanted : "ru";
    }

    // For calls that have no body of ours to say it in.
    function inWords() {
        return "?language=" + language();
    }

    function words(name, first, second, third) {
        var table = WORDS[language()];
        var text = table[name];
        text = replaced(text, "{0}", first);
        text = replaced(text, "{1}", second);
        return replaced(text, "{2}", third);
    }

    function replaced(text, mark, value) {
        return value === undefined ? text : text.split(mark).join(String(value));
    }

    function setting(name, other) {
        var value = tillsideSettings[name];
        return value === undefined || value === null ? other : value;
    }

    // ---- The host: everything of it may be missing or fail.

    function read(object, name, other) {
        var value;
        try {
            value = object[name];
        } catch (failure) {
            note(failure);
            return other;
        }
        return value === undefined || value === null ? other : value;
    }

    function trimmed(text) {
        return String(text).replace(/^[\s\uFEFF\xA0]+/, "").replace(/[\s\uFEFF\xA0]+$/, "");
    }

    function whole(value) {
        var number = Number(value);
        return isFinite(number) ? Math.floor(number) : 0;
    }

    function isSet(value) {
        return value === true || (value !== false && value !== "" && Number(value) !== 0);
    }

    function now() {
        return new Date().getTime();
    }

    function isArray(value) {
        return Object.prototype.toString.call(value) === "[object Array]";
    }

    function contains(list, value) {
        var index;
        for (index = 0; index < list.length; index += 1) {
            if (String(list[index]) === String(value)) {
                return true;
            }
        }
        return false;
    }

    // The last failure, for store IT: without long numbers, which may be a card's or a phone's.
    function note(failure) {
        var text = "";
        try {
            text = String(failure && (failure.message || failure.description) || failure);
            text = text.replace(/\d{5,}/g, "#").substring(0, 200);
            frontol.userValues.set("tillsideFailure", text);
        } catch (ignored) {
            text = "";
        }
    }

    function document() {
        return read(frontol, "currentDocument", null);
    }

    function get(doc, name) {
        var value = "";
        try {
            value = doc.userValues.get(name);
        } catch (failure) {
            note(failure);
        }
        return value === undefined || value === null ? "" : String(value);
    }

    function set(doc, name, value) {
        doc.userValues.set(name, String(value));
    }

    function code(object) {
        var type = object === null || object === undefined ? null : read(object, "type", null);
        if (type === null) {
            return "";
        }
        return typeof type === "object" || typeof type === "function" ? String(read(type, "code", "")) : String(type);
    }

    function isSale(doc) {
        return doc !== null && contains(setting("saleTypes", [1]), code(doc));
    }

    function isReturn(doc) {
        return doc !== null && contains(setting("returnTypes", [2]), code(doc));
    }

    // Visits each row of a collection that has a cursor, and puts the cursor back. A failure is the caller's: a row
    // that is left out would make another receipt.
    function each(collection, visit) {
        var before = read(collection, "index", 0);
        var count = whole(collection.count);
        var index;
        try {
            for (index = 1; index <= count; index += 1) {
                collection.index = index;
                visit(collection, index);
            }
        } finally {
            try {
                collection.index = before;
            } catch (failure) {
                note(failure);
            }
        }
    }

    function say(text, isError) {
        if (!text) {
            return;
        }
        try {
            if (isError) {
                frontol.actions.showMessage(text, Icon.Exclamation);
            } else {
                frontol.actions.showMessage(text);
            }
        } catch (failure) {
            try {
                frontol.actions.showMessage(text);
            } catch (again) {
                note(again);
            }
        }
    }

    function ask(text, other) {
        var answer = null;
        try {
            answer = frontol.actions.inputString(text, other);
        } catch (failure) {
            note(failure);
        }
        return answer === null || answer === undefined ? "" : trimmed(answer);
    }

    // Messages of an answer: warnings at once, the rest if the shop wants to see all.
    function tell(messages) {
        var show = setting("show", "all");
        var told = [];
        var isWarning = false;
        var index;
        if (!isArray(messages) || show === "nothing") {
            return;
        }
        for (index = 0; index < messages.length; index += 1) {
            if (show === "all" || messages[index].level !== "info") {
                told.push(messages[index].text);
            }
            isWarning = isWarning || messages[index].level !== "info";
        }
        say(told.join("\n"), isWarning);
    }

    // What a refusal says to the cashier. Nobody needs to hear twice that nothing answers.
    function tellRefusal(answer, other) {
        if (answer.dead || !answer.data || typeof answer.data.cashier !== "string") {
            say(words(other || "dead"), true);
        } else {
            say(answer.data.cashier, true);
        }
    }

    function tellDead() {
        if (!saidDead) {
            saidDead = true;
            say(words("dead"), true);
        }
    }

    // ---- Exact money: numbers are read as their digits, and never multiplied.

    function digitsOf(value) {
        var text = trimmed(typeof value === "number" ? String(value) : value);
        var parts;
        var places;
        text = text.replace(/[\s\xA0]/g, "").replace(",", ".");
        parts = /^([+\-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+\-]?[0-9]{1,3}))?$/.exec(text);
        if (parts === null || !(parts[2] || parts[3])) {
            return null;
        }
        places = { before: parts[2], after: parts[3] || "" };
        shift(places, parts[4] ? parseInt(parts[4], 10) : 0);
        return places;
    }

    function shift(places, exponent) {
        for (; exponent > 0; exponent -= 1) {
            places.before += places.after.charAt(0) || "0";
            places.after = places.after.substring(1);
        }
        for (; exponent < 0; exponent += 1) {
            places.after = (places.before.charAt(places.before.length - 1) || "0") + places.after;
            places.before = places.before.substring(0, places.before.length - 1);
        }
    }

    function increased(digits) {
        var index = digits.length - 1;
        while (index >= 0 && digits.charAt(index) === "9") {
            index -= 1;
        }
        if (index < 0) {
            return "1" + digits.replace(/9/g, "0");
        }
        return digits.substring(0, index) + String(Number(digits.charAt(index)) + 1) +
            digits.substring(index + 1).replace(/9/g, "0");
    }

    function cut(places, count) {
        var after = places.after;
        var joined;
        while (after.length < count + 1) {
            after += "0";
        }
        joined = places.before + after.substring(0, count);
        if (after.charAt(count) >= "5") {
            joined = increased(joined);
        }
        while (joined.length < count + 1) {
            joined = "0" + joined;
        }
        return { before: joined.substring(0, joined.length - count), after: joined.substring(joined.length - count) };
    }

    // The size of an amount in units of the last of `count` places, halves up; null for what is no number. It is cut at
    // six places first: sums of fractions come with an error far behind the point (0.145 * 3 is 0.43499999999999994).
    function exact(value, count) {
        var places = digitsOf(value);
        var joined;
        if (places === null) {
            return null;
        }
        places = cut(cut(places, 6), count);
        joined = (places.before + places.after).replace(/^0+/, "");
        return joined.length > 15 ? null : Number(joined || "0");
    }

    function minor(value) {
        return exact(value, 2);
    }

    function minorOf(object, name) {
        var value = read(object, name, null);
        var found = value === null ? null : minor(value);
        return found === null ? 0 : found;
    }

    function isNegative(value) {
        return trimmed(value).charAt(0) === "-";
    }

    // As Frontol takes amounts: the number nearest to them.
    function money(amount) {
        return amount / 100;
    }

    function shown(amount, exponent) {
        var text = String(amount < 0 ? -amount : amount);
        var places = exponent === undefined ? 2 : exponent;
        while (text.length < places + 1) {
            text = "0" + text;
        }
        if (places > 0) {
            text = text.substring(0, text.length - places) + "." + text.substring(text.length - places);
        }
        return (amount < 0 ? "-" : "") + text;
    }

    // `total` in parts as large as the weights are, to the last unit; what is left goes to the largest remainders.
    function spread(total, weights) {
        var all = sum(weights);
        var parts = [];
        var rest = [];
        var left = total;
        var index;
        for (index = 0; index < weights.length; index += 1) {
            parts[index] = all > 0 ? share(total, weights[index], all) : 0;
            rest[index] = all > 0 ? { index: index, size: total * weights[index] / all - parts[index] } : null;
            left -= parts[index];
        }
        if (all <= 0) {
            return parts;
        }
        rest.sort(function (one, other) {
            return other.size - one.size || one.index - other.index;
        });
        for (index = 0; left > 0; index = (index + 1) % rest.length) {
            parts[rest[index].index] += 1;
            left -= 1;
        }
        for (index = rest.length - 1; left < 0; index = (index + rest.length - 1) % rest.length) {
            if (parts[rest[index].index] > 0) {
                parts[rest[index].index] -= 1;
                left += 1;
            }
        }
        return parts;
    }

    function share(total, weight, all) {
        return Math.floor(total * weight / all);
    }

    function sum(list) {
        var total = 0;
        var index;
        for (index = 0; index < list.length; index += 1) {
            total += list[index];
        }
        return total;
    }

    // ---- JSON. Not every engine has one, and what is written is ASCII whatever the names of goods are.

    function escaped(text) {
        var out = [];
        var start = 0;
        var index;
        var unit;
        for (index = 0; index < text.length; index += 1) {
            unit = text.charCodeAt(index);
            if (unit < 32 || unit > 126 || unit === 34 || unit === 92) {
                out.push(text.substring(start, index), "\\u", ("0000" + unit.toString(16)).slice(-4));
                start = index + 1;
            }
        }
        out.push(text.substring(start));
        return "\"" + out.join("") + "\"";
    }

    function written(value) {
        var parts = [];
        var name;
        var index;
        if (value === null || value === undefined) {
            return "null";
        }
        if (typeof value === "string") {
            return escaped(value);
        }
        if (typeof value === "number") {
            return isFinite(value) ? String(value) : "null";
        }
        if (typeof value === "boolean") {
            return String(value);
        }
        if (isArray(value)) {
            for (index = 0; index < value.length; index += 1) {
                parts.push(written(value[index]));
            }
            return "[" + parts.join(",") + "]";
        }
        for (name in value) {
            if (Object.prototype.hasOwnProperty.call(value, name) && value[name] !== undefined) {
                parts.push(escaped(name) + ":" + written(value[name]));
            }
        }
        return "{" + parts.join(",") + "}";
    }

    function parsed(text) {
        var state = { text: text, at: 0, depth: 0 };
        var value = parsedValue(state);
        skip(state);
        if (state.at !== text.length) {
            bad(state);
        }
        return value;
    }

    function bad(state) {
        throw new Error("expected JSON, not what stands at " + state.at);
    }

    function skip(state) {
        while (" \t\r\n".indexOf(state.text.charAt(state.at)) >= 0 && state.at < state.text.length) {
            state.at += 1;
        }
    }

    function parsedValue(state) {
        var value;
        skip(state);
        state.depth += 1;
        if (state.depth > DEPTH_LIMIT) {
            bad(state);
        }
        switch (state.text.charAt(state.at)) {
        case "{":
            value = parsedObject(state);
            break;
        case "[":
            value = parsedArray(state);
            break;
        case "\"":
            value = parsedString(state);
            break;
        case "t":
            value = parsedWord(state, "true", true);
            break;
        case "f":
            value = parsedWord(state, "false", false);
            break;
        case "n":
            value = parsedWord(state, "null", null);
            break;
        default:
            value = parsedNumber(state);
        }
        state.depth -= 1;
        return value;
    }

    function parsedWord(state, word, value) {
        if (state.text.substring(state.at, state.at + word.length) !== word) {
            bad(state);
        }
        state.at += word.length;
        return value;
    }

    function parsedNumber(state) {
        var start = state.at;
        var text;
        while (state.at < state.text.length && "+-.eE0123456789".indexOf(state.text.charAt(state.at)) >= 0) {
            state.at += 1;
        }
        text = state.text.substring(start, state.at);
        if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?$/.test(text)) {
            bad(state);
        }
        return Number(text);
    }

    function parsedArray(state) {
        var value = [];
        state.at += 1;
        skip(state);
        if (state.text.charAt(state.at) === "]") {
            state.at += 1;
            return value;
        }
        for (;;) {
            value.push(parsedValue(state));
            if (isLast(state, "]")) {
                return value;
            }
        }
    }

    function parsedObject(state) {
        var value = {};
        var name;
        var item;
        state.at += 1;
        skip(state);
        if (state.text.charAt(state.at) === "}") {
            state.at += 1;
            return value;
        }
        for (;;) {
            skip(state);
            name = parsedString(state);
            skip(state);
            if (state.text.charAt(state.at) !== ":") {
                bad(state);
            }
            state.at += 1;
            item = parsedValue(state);
            if (name !== "__proto__") {
                value[name] = item;
            }
            if (isLast(state, "}")) {
                return value;
            }
        }
    }

    function isLast(state, end) {
        var sign;
        skip(state);
        sign = state.text.charAt(state.at);
        state.at += 1;
        if (sign !== "," && sign !== end) {
            bad(state);
        }
        return sign === end;
    }

    var ESCAPES = { "\"": "\"", "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

    function parsedString(state) {
        var text = state.text;
        var out = [];
        var start;
        var sign;
        if (text.charAt(state.at) !== "\"") {
            bad(state);
        }
        state.at += 1;
        start = state.at;
        for (;;) {
            sign = text.charAt(state.at);
            if (sign === "" || sign < " ") {
                bad(state);
            }
            if (sign === "\"") {
                out.push(text.substring(start, state.at));
                state.at += 1;
                return out.join("");
            }
            if (sign === "\\") {
                out.push(text.substring(start, state.at), parsedEscape(state));
                start = state.at;
            } else {
                state.at += 1;
            }
        }
    }

    function parsedEscape(state) {
        var sign = state.text.charAt(state.at + 1);
        var digits;
        if (sign === "u") {
            digits = state.text.substring(state.at + 2, state.at + 6);
            if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
                bad(state);
            }
            state.at += 6;
            return String.fromCharCode(parseInt(digits, 16));
        }
        if (sign === "" || !Object.prototype.hasOwnProperty.call(ESCAPES, sign)) {
            bad(state);
        }
        state.at += 2;
        return ESCAPES[sign];
    }

    // ---- The name of a receipt: the same as the agent makes of Frontol's reports and of its Priority API.

    function utf8(text) {
        var bytes = [];
        var index;
        var point;
        var next;
        for (index = 0; index < text.length; index += 1) {
            point = text.charCodeAt(index);
            next = text.charCodeAt(index + 1);
            if (point >= 0xD800 && point < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
                point = 0x10000 + (point - 0xD800) * 0x400 + (next - 0xDC00);
                index += 1;
            }
            if (point < 0x80) {
                bytes.push(point);
            } else if (point < 0x800) {
                bytes.push(0xC0 | point >> 6, 0x80 | point & 63);
            } else if (point < 0x10000) {
                bytes.push(0xE0 | point >> 12, 0x80 | point >> 6 & 63, 0x80 | point & 63);
            } else {
                bytes.push(0xF0 | point >> 18, 0x80 | point >> 12 & 63, 0x80 | point >> 6 & 63, 0x80 | point & 63);
            }
        }
        return bytes;
    }

    // The first 32 bits of the fractions of roots of the first primes, as SHA-256 wants them.
    function roots(power, count) {
        var found = [];
        var candidate = 2;
        var divisor;
        var root;
        while (found.length < count) {
            for (divisor = 2; divisor * divisor <= candidate && candidate % divisor !== 0; divisor += 1) {
                root = 0;
            }
            if (divisor * divisor > candidate) {
                root = Math.pow(candidate, power);
                found.push((root - Math.floor(root)) * 0x100000000 | 0);
            }
            candidate += 1;
        }
        return found;
    }

    function turned(word, count) {
        return word >>> count | word << 32 - count;
    }

    function sha256(text) {
        var state = roots(1 / 2, 8);
        var keys = roots(1 / 3, 64);
        var bytes = utf8(text);
        var bits = bytes.length * 8;
        var out = "";
        var index;
        bytes.push(0x80);
        while (bytes.length % 64 !== 56) {
            bytes.push(0);
        }
        bytes.push(0, 0, 0, 0, bits >>> 24 & 255, bits >>> 16 & 255, bits >>> 8 & 255, bits & 255);
        for (index = 0; index < bytes.length; index += 64) {
            sha256Block(state, keys, bytes, index);
        }
        for (index = 0; index < 8; index += 1) {
            out += ("00000000" + (state[index] >>> 0).toString(16)).slice(-8);
        }
        return out;
    }

    function sha256Block(state, keys, bytes, start) {
        var w = [];
        var v = state.slice(0);
        var index;
        var at;
        var one;
        var two;
        for (index = 0; index < 64; index += 1) {
            if (index < 16) {
                at = start + index * 4;
                w[index] = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
            } else {
                one = w[index - 15];
                two = w[index - 2];
                one = turned(one, 7) ^ turned(one, 18) ^ one >>> 3;
                two = turned(two, 17) ^ turned(two, 19) ^ two >>> 10;
                w[index] = w[index - 16] + one + w[index - 7] + two | 0;
            }
            one = turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25);
            one = v[7] + one + (v[4] & v[5] ^ ~v[4] & v[6]) + keys[index] + w[index] | 0;
            two = turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22);
            two = two + (v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2]) | 0;
            v = [one + two | 0, v[0], v[1], v[2], v[3] + one | 0, v[4], v[5], v[6]];
        }
        for (index = 0; index < 8; index += 1) {
            state[index] = state[index] + v[index] | 0;
        }
    }

    function normalUid(text) {
        var bare = trimmed(trimmed(text).replace(/^[{}()\[\]]+/, "").replace(/[{}()\[\]]+$/, "")).toLowerCase();
        if (bare === "" || /^[A-Za-z0-9._\-]{1,64}$/.test(bare)) {
            return bare;
        }
        return "x-" + sha256(bare).substring(0, 40);
    }

    function bareNumber(part) {
        var text = trimmed(part).toLowerCase();
        return /^[0-9]+$/.test(text) ? text.replace(/^0+/, "") || "0" : text;
    }

    function documentUid(till, shift, number) {
        var parts = [bareNumber(till), bareNumber(shift), bareNumber(number)];
        var name = "f-" + parts.join("-");
        if (/^f-[0-9]+-[0-9]+-[0-9]+$/.test(name) && name.length <= 64) {
            return name;
        }
        return "f-" + sha256(parts.join("/")).substring(0, 40);
    }

    // Till, shift and number, which the sales report has too; or Frontol's own id of the document where the shop says so
    // and it is one that no other document can have.
    function uidOf(doc) {
        var stored = get(doc, "tillsideUid");
        var id;
        if (stored) {
            return stored;
        }
        id = setting("receiptUid", "number") === "frontol" ? normalUid(read(doc, "uid", "") || read(doc, "guid", "")) : "";
        if (!/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/.test(id)) {
            id = documentUid(frontol.codeWorkplace, read(doc, "sessionNumber", null) || frontol.sessionNumber, doc.number);
        }
        set(doc, "tillsideUid", id);
        return id;
    }

    // ---- Calls.

    function newRequest() {
        var names = ["MSXML2.ServerXMLHTTP.6.0", "MSXML2.ServerXMLHTTP.3.0", "MSXML2.ServerXMLHTTP"];
        var index;
        for (index = 0; index < names.length; index += 1) {
            try {
                return new ActiveXObject(names[index]);
            } catch (failure) {
                note(failure);
            }
        }
        throw new Error("expected MSXML2.ServerXMLHTTP on this machine");
    }

    function prepared(method, path, waitMs) {
        var request = newRequest();
        var connectMs = setting("connectMs", 300);
        request.setTimeouts(connectMs, connectMs, waitMs, waitMs);
        request.open(method, "http://127.0.0.1:" + setting("port", 17532) + path, false);
        try {
            request.setProxy(1);
        } catch (failure) {
            note(failure);
        }
        request.setRequestHeader("Authorization", "Bearer " + setting("token", ""));
        request.setRequestHeader("X-Tillside-Client", CLIENT);
        request.setRequestHeader("Accept", "application/json");
        // Letters as escapes: nobody has to guess an encoding.
        request.setRequestHeader("Accept-Charset", "us-ascii");
        return request;
    }

    // {status, data, dead}; `dead`: nobody knows what became of it. Never throws.
    function call(method, path, body, waitMs, isUrgent) {
        var answer = { status: 0, data: null, dead: true };
        var request;
        if (!isUrgent && now() < pausedUntil) {
            return answer;
        }
        try {
            request = prepared(method, path, waitMs);
            if (body === undefined) {
                request.send();
            } else {
                request.setRequestHeader("Content-Type", "application/json");
                request.send(written(body));
            }
            understand(answer, request);
        } catch (failure) {
            note(failure);
            answer = { status: 0, data: null, dead: true };
        }
        if (answer.dead) {
            pausedUntil = now() + setting("pauseMs", 15000);
        } else {
            pausedUntil = 0;
            saidDead = false;
        }
        return answer;
    }

    function understand(answer, request) {
        var status = whole(request.status);
        var text = "";
        if (status === 1223) {
            status = 204;
        }
        if (status < 100 || (status >= 12000 && status <= 12175)) {
            return;
        }
        if (status !== 204) {
            text = String(read(request, "responseText", ""));
        }
        answer.status = status;
        if (status >= 500 || text.length > ANSWER_LIMIT) {
            answer.data = problemOf(text);
            answer.dead = !answer.data || typeof answer.data.cashier !== "string";
            return;
        }
        answer.data = text === "" ? {} : problemOf(text);
        answer.dead = answer.data === null;
    }

    function problemOf(text) {
        var data = null;
        try {
            data = text.length > ANSWER_LIMIT ? null : parsed(text);
        } catch (failure) {
            note(failure);
        }
        return data !== null && typeof data === "object" ? data : null;
    }

    function isGood(answer) {
        return !answer.dead && answer.status >= 200 && answer.status < 300;
    }

    function post(path, body) {
        return call("POST", path, body, setting("answerMs", 2000), false);
    }

    // ---- Who buys.

    function identify(doc, who) {
        var answer = post("/v1/identify" + inWords(), who);
        if (isGood(answer) && answer.data.reference) {
            memory.quoteBody = "";
            set(doc, "tillsideWho", answer.data.reference);
            showMember(doc, answer.data);
        }
        return answer;
    }

    function exponent() {
        var answer;
        if (pointsExponent < 0) {
            answer = call("GET", "/v1/page", undefined, setting("answerMs", 2000), false);
            if (isGood(answer) && typeof answer.data.points_exponent === "number") {
                pointsExponent = answer.data.points_exponent;
            }
        }
        return pointsExponent;
    }

    function showMember(doc, member) {
        var places = exponent();
        set(doc, "tillsideName", member.name_masked || member.card_masked || member.phone_masked || "");
        set(doc, "tillsideTier", member.tier || "");
        set(doc, "tillsideBalance", places < 0 ? "" : shown(member.balance_points, places));
        set(doc, "tillsideSpendable", places < 0 ? "" : shown(member.spendable_points, places));
    }

    function greet(doc, member) {
        var told = [];
        var name = get(doc, "tillsideName");
        if (name && member.known && get(doc, "tillsideBalance")) {
            told.push({
                text: words("member", name, get(doc, "tillsideBalance"), get(doc, "tillsideSpendable")),
                level: "info"
            });
        } else if (name) {
            told.push({ text: name, level: "info" });
        }
        tell(told.concat(isArray(member.messages) ? member.messages : []));
    }

    function isOurs(card) {
        var types = setting("cardTypes", []);
        return types.length === 0 || contains(types, code(card));
    }

    // The member of the receipt as calls name them; null when there is none. A card that was entered while nothing
    // answered is still in the document: it is asked about now.
    function memberOf(doc) {
        var who = get(doc, "tillsideWho");
        var last = "";
        if (who === "-") {
            return null;
        }
        if (who === "") {
            try {
                each(doc.card, function (card) {
                    last = isOurs(card) ? String(read(card, "value", "")) : last;
                });
            } catch (failure) {
                note(failure);
            }
            if (last === "" || last === memory.refusedCard || !isGood(identify(doc, { card: last }))) {
                return null;
            }
            who = get(doc, "tillsideWho");
        }
        return who ? { reference: who } : null;
    }

    function changeMember(doc, who) {
        var answer;
        var before = get(doc, "tillsideWho");
        answer = identify(doc, who);
        if (!isGood(answer)) {
            if (answer.dead) {
                tellDead();
            } else {
                memory.refusedCard = who.card || "";
                tellRefusal(answer);
            }
            return;
        }
        if (before !== get(doc, "tillsideWho") && get(doc, "tillsideHold")) {
            release(doc);
        }
        greet(doc, answer.data);
        refresh(doc);
    }

    // ---- The receipt.

    function categoryOf(ware) {
        var kind = setting("categories", "code");
        var path = [];
        var groups = kind === "none" ? null : read(ware, "parent", null);
        if (groups === null) {
            return path;
        }
        try {
            each(groups, function (group) {
                path.push(String(read(group, kind, "")).substring(0, 500));
            });
        } catch (failure) {
            note(failure);
            path = [];
        }
        return setting("categoriesFrom", "nearest") === "nearest" ? path.reverse() : path;
    }

    function skuOf(ware, position) {
        var names = ["code", "mark", "barcode"];
        var index;
        var found;
        for (index = 0; index < names.length; index += 1) {
            found = trimmed(read(ware, names[index], ""));
            if (found) {
                return found.substring(0, 100);
            }
        }
        return trimmed(read(position, "barcode", "")).substring(0, 100) || "-";
    }

    // Lines that were not taken back. `net`: what the line costs now, by Frontol; `number`: Frontol's own, or the place.
    function linesOf(doc) {
        var lines = [];
        var isNumbered = true;
        var seen = {};
        var index;
        each(doc.position, function (position, place) {
            var ware = read(position, "ware", {});
            var quantity = exact(position.quantity, 3);
            var number = whole(read(position, "number", 0));
            var least = setting("minimumPrices", true) ? read(ware, "minPrice", 0) : 0;
            if (isSet(read(position, "storno", 0)) || !quantity || isNegativeSale(doc, position)) {
                return;
            }
            isNumbered = isNumbered && number >= 1 && number <= 1000000 && seen[number] !== true;
            seen[number] = true;
            lines.push({
                place: place,
                number: number,
                sku: skuOf(ware, position),
                name: String(read(ware, "text", "") || read(ware, "name", "")).substring(0, 500),
                quantity: quantity,
                net: minorOf(position, read(position, "totalSum", null) === null ? "sum" : "totalSum"),
                least: minor(least) || 0,
                category: categoryOf(ware)
            });
        });
        for (index = 0; index < lines.length && !isNumbered; index += 1) {
            lines[index].number = lines[index].place;
        }
        return lines;
    }

    function isNegativeSale(doc, position) {
        return isSale(doc) && isNegative(position.quantity);
    }

    // What Frontol took off by our two events: by line and from the whole document.
    function takenOff(doc, event) {
        var found = { byPlace: {}, whole: 0, total: 0 };
        if (!event) {
            return found;
        }
        function count(discount, place) {
            var about = read(discount, "marketingEvent", null) || read(discount, "marketingAction", null);
            var amount;
            if (about === null || (String(read(about, "name", "")) !== event && String(read(about, "code", "")) !== event)) {
                return;
            }
            amount = minorOf(discount, read(discount, "sum", null) === null ? "value" : "sum");
            found.total += amount;
            if (place === 0) {
                found.whole += amount;
            } else {
                found.byPlace[place] = (found.byPlace[place] || 0) + amount;
            }
        }
        each(doc.position, function (position, place) {
            var discounts = read(position, "discountPos", null);
            if (discounts !== null && !isSet(read(position, "storno", 0))) {
                each(discounts, function (discount) {
                    count(discount, place);
                });
            }
        });
        if (read(doc, "discountDoc", null) !== null) {
            each(doc.discountDoc, function (discount) {
                count(discount, 0);
            });
        }
        return found;
    }

    // Lines before this programme's discounts and points, and what of ours was taken off each of them.
    function receiptOf(doc) {
        var lines = linesOf(doc);
        var total = read(doc, "totalSum", null);
        var points = takenOff(doc, setting("redemption", "none") === "discount" ? setting("redeemEvent", "") : "");
        var given = takenOff(doc, setting("discountEvent", ""));
        var nets = [];
        var difference;
        var index;
        for (index = 0; index < lines.length; index += 1) {
            nets[index] = lines[index].net;
        }
        difference = total === null ? 0 : minor(total) - sum(nets);
        added(lines, "net", spread(difference < 0 ? -difference : difference, nets), difference < 0 ? -1 : 1);
        setTaken(lines, "paid", points, nets);
        setTaken(lines, "given", given, nets);
        return lines;
    }

    function added(lines, name, parts, sign) {
        var index;
        for (index = 0; index < lines.length; index += 1) {
            lines[index][name] += sign * parts[index];
        }
    }

    function setTaken(lines, name, found, weights) {
        var index;
        for (index = 0; index < lines.length; index += 1) {
            lines[index][name] = found.byPlace[lines[index].place] || 0;
        }
        added(lines, name, spread(found.whole, weights), 1);
    }

    function bodyOf(lines) {
        var out = [];
        var index;
        var line;
        var row;
        for (index = 0; index < lines.length; index += 1) {
            line = lines[index];
            row = {
                number: line.number,
                sku: line.sku,
                name: line.name,
                amount_minor: line.net + line.paid + line.given,
                quantity_thousandths: line.quantity
            };
            if (line.category.length > 0) {
                row.category = line.category;
            }
            if (line.least > 0) {
                row.minimum_price_minor = Math.min(row.amount_minor, Math.floor(line.least * line.quantity / 1000));
            }
            out.push(row);
        }
        return { lines: out };
    }

    function codesOf(doc) {
        var text = get(doc, "tillsideCodes");
        var parts = text ? text.split(",") : [];
        var index;
        for (index = 0; index < parts.length; index += 1) {
            parts[index] = decodeURIComponent(parts[index]);
        }
        return parts;
    }

    // ---- Quotes.

    function quote(doc, points, hasSlip) {
        var lines = receiptOf(doc);
        var body = { receipt: bodyOf(lines), redeem_points: points, slip_preview: !!hasSlip };
        var member = memberOf(doc);
        var codes = codesOf(doc);
        var text;
        var answer;
        memory.refusal = null;
        if (lines.length === 0) {
            return null;
        }
        if (get(doc, "tillsideHold")) {
            body.sale_uid = uidOf(doc);
        }
        body.language = language();
        if (member) {
            body.member = member;
        }
        if (codes.length > 0) {
            body.codes = codes;
        }
        text = written(body);
        if (text === memory.quoteBody) {
            return memory.quote;
        }
        answer = post("/v1/quotes", body);
        if (!isGood(answer) || !answer.data.calculation) {
            memory.refusal = answer;
            return null;
        }
        memory.quoteBody = text;
        memory.quote = answer.data;
        return answer.data;
    }

    function tellNoQuote() {
        if (memory.refusal === null) {
            say(words("paysNothing"), true);
        } else {
            tellRefusal(memory.refusal, "noPoints");
        }
    }

    function wantsDiscounts() {
        return setting("discountEvent", "") !== "";
    }

    function isDiscountMode() {
        return setting("redemption", "none") === "discount" && setting("redeemEvent", "") !== "";
    }

    function isPaymentMode() {
        return setting("redemption", "none") === "payment" && whole(setting("paymentCode", 0)) > 0;
    }

    function recalculate(doc) {
        own = true;
        try {
            doc.recalculateAllDiscounts();
        } catch (failure) {
            note(failure);
        } finally {
            own = false;
        }
    }

    // After the receipt or the member changed: what the programme takes off now, and whether the points still fit.
    function refresh(doc) {
        var points = whole(get(doc, "tillsidePoints"));
        var found;
        if (!wantsDiscounts() && !(isDiscountMode() && points > 0)) {
            return;
        }
        found = quote(doc, isDiscountMode() ? points : 0, false);
        if (found === null) {
            return;
        }
        set(doc, "tillsideDiscounts", discountsText(found.calculation));
        if (isDiscountMode() && points > 0 && found.calculation.redeemed_points < points) {
            keepPoints(doc, found.calculation.redeemed_points || 0, found.calculation.redeemed_minor || 0);
        }
        recalculate(doc);
    }

    function discountsText(calculation) {
        var parts = [];
        var lines = calculation.lines || [];
        var index;
        for (index = 0; index < lines.length; index += 1) {
            if (lines[index].discount_minor > 0) {
                parts.push(lines[index].number + ":" + lines[index].discount_minor);
            }
        }
        return parts.join(",");
    }

    function discountsByNumber(doc) {
        var found = {};
        var parts = get(doc, "tillsideDiscounts").split(",");
        var index;
        var pair;
        for (index = 0; index < parts.length; index += 1) {
            pair = parts[index].split(":");
            if (pair.length === 2) {
                found[pair[0]] = whole(pair[1]);
            }
        }
        return found;
    }

    // ---- Points that pay.

    function greatestCommon(one, other) {
        return other === 0 ? one : greatestCommon(other, one % other);
    }

    // Points for money, and back, by the pair that a quote names; downwards to what can be changed without a rest.
    function pointsFor(amount, most) {
        var divisor = greatestCommon(most.points, most.amount_minor);
        return Math.floor(amount / (most.amount_minor / divisor)) * (most.points / divisor);
    }

    function moneyFor(points, most) {
        var divisor = greatestCommon(most.points, most.amount_minor);
        return Math.floor(points / (most.points / divisor)) * (most.amount_minor / divisor);
    }

    function keepPoints(doc, points, amount) {
        set(doc, "tillsidePoints", points);
        set(doc, "tillsideMoney", amount);
    }

    function release(doc) {
        var hold = get(doc, "tillsideHold");
        if (hold) {
            call("DELETE", "/v1/holds/" + encodeURIComponent(hold), undefined, setting("saleMs", 5000), true);
        }
        set(doc, "tillsideHold", "");
        set(doc, "tillsideHeldUntil", "");
        keepPoints(doc, 0, 0);
    }

    function hold(doc, points, proof) {
        var body = {
            sale_uid: uidOf(doc),
            member: memberOf(doc),
            points: points,
            language: language(),
            ttl_ms: Math.max(1, Math.min(60, whole(setting("holdMinutes", 30)))) * 60000
        };
        var answer;
        if (proof && proof.pin) {
            body.pin = proof.pin;
        }
        if (proof && proof.confirmation) {
            body.confirmation = proof.confirmation;
        }
        answer = post("/v1/holds", body);
        if (isGood(answer) && answer.data.hold) {
            set(doc, "tillsideHold", answer.data.hold);
            set(doc, "tillsideHeldUntil", now() + whole(answer.data.expires_in_ms));
        }
        return answer;
    }

    // Who the member is, in one of the ways that the agent names: {pin} or {confirmation}; null when it can't be shown.
    function proofBy(doc, ways) {
        var uid = "c-" + sha256(uidOf(doc) + "/" + now()).substring(0, 40);
        var body = { uid: uid, member: memberOf(doc), language: language() };
        var text;
        var answer;
        if (contains(ways, "pin")) {
            text = ask(words("askPin"), "");
            return text ? { pin: text } : null;
        }
        body.phone = ask(words("askPhone"), "");
        if (!body.phone) {
            return null;
        }
        answer = post("/v1/confirmations", body);
        if (!isGood(answer)) {
            tellRefusal(answer, "noPoints");
            return null;
        }
        tell(answer.data.messages);
        body.code = ask(words("askCode"), "");
        if (!/^[0-9]{4,8}$/.test(body.code)) {
            return null;
        }
        answer = post("/v1/confirmations", body);
        if (isGood(answer) && answer.data.confirmation && answer.data.confirmation.state === "confirmed") {
            return { confirmation: answer.data.confirmation.confirmation };
        }
        if (isGood(answer)) {
            tell(answer.data.messages);
        } else {
            tellRefusal(answer, "noPoints");
        }
        return null;
    }

    // Reserves points for at most that much money: {points, amount}, or null, and the cashier knows why.
    function reserve(doc, wish) {
        var best = quote(doc, -1, false);
        var most = best && best.redeemable;
        var amount;
        var proof = null;
        var points;
        var answer;
        var round;
        if (best === null) {
            tellNoQuote();
            return null;
        }
        if (!most || !(most.points > 0) || !(most.amount_minor > 0)) {
            tell(best.messages);
            say(words("paysNothing"), true);
            return null;
        }
        amount = Math.min(wish, most.amount_minor);
        for (round = 0; round < TRIES; round += 1) {
            best = quote(doc, pointsFor(amount, most), false);
            points = best ? best.calculation.redeemed_points || 0 : 0;
            amount = best ? best.calculation.redeemed_minor || 0 : 0;
            if (points < 1) {
                say(words(best ? "paysNothing" : "noPoints"), true);
                return null;
            }
            answer = hold(doc, points, proof);
            if (isGood(answer)) {
                keepPoints(doc, points, amount);
                return { points: points, amount: amount };
            }
            if (!answer.dead && answer.data.code === "proof_required" && proof === null) {
                proof = proofBy(doc, answer.data.proof || []);
                if (proof === null) {
                    amount = moneyFor(answer.data.allowed_points || 0, most);
                }
            } else if (!answer.dead && answer.data.available_points > 0 && answer.data.available_points < points) {
                amount = moneyFor(answer.data.available_points, most);
            } else {
                tellRefusal(answer, "noPoints");
                return null;
            }
        }
        tellRefusal(answer, "noPoints");
        return null;
    }

    function paymentAmount(payment) {
        var value = read(payment, "sumInBaseCurrency", null);
        if (value === null) {
            value = read(payment, "sum", 0);
        }
        return isNegative(value) ? -(minor(value) || 0) : minor(value) || 0;
    }

    function isPoints(payment) {
        return isPaymentMode() && code(payment) === String(whole(setting("paymentCode", 0)));
    }

    // What points pay of the document by Frontol's own figures: it may have rounded.
    function paidByPoints(doc) {
        var total = 0;
        if (isDiscountMode()) {
            return takenOff(doc, setting("redeemEvent", "")).total;
        }
        if (isPaymentMode()) {
            each(doc.payment, function (payment) {
                if (isPoints(payment) && !isSet(read(payment, "storno", 0))) {
                    total += paymentAmount(payment);
                }
            });
        }
        return Math.max(0, total);
    }

    function addPayment(doc, amount) {
        own = true;
        try {
            try {
                doc.addPayment(whole(setting("paymentCode", 0)), money(amount), null);
            } catch (failure) {
                note(failure);
                doc.addPayment(whole(setting("paymentCode", 0)), money(amount));
            }
        } finally {
            own = false;
        }
    }

    // Brings what is reserved to what Frontol really took; false when points don't cover it.
    function settlePoints(doc) {
        var paid = paidByPoints(doc);
        var found;
        var best;
        if (paid === 0) {
            if (get(doc, "tillsideHold")) {
                release(doc);
            }
            return true;
        }
        if (memberOf(doc) === null) {
            return false;
        }
        if (!get(doc, "tillsideHold") || paid > whole(get(doc, "tillsideMoney"))) {
            found = reserve(doc, paid);
            return found !== null && found.amount === paid;
        }
        if (paid < whole(get(doc, "tillsideMoney"))) {
            best = quote(doc, -1, false);
            if (best === null || !best.redeemable || !(best.redeemable.amount_minor > 0)) {
                return false;
            }
            keepPoints(doc, pointsFor(paid, best.redeemable), paid);
        }
        return true;
    }

    // Before the receipt is closed: are the points still reserved, for long enough, and do they still fit?
    function isCovered(doc) {
        var paid = paidByPoints(doc);
        var points;
        var best;
        var answer;
        if (paid > 0 && now() < pausedUntil) {
            pausedUntil = 0;
        }
        if (!settlePoints(doc)) {
            return isHeld(doc, paid);
        }
        points = whole(get(doc, "tillsidePoints"));
        if (paid === 0) {
            return true;
        }
        best = quote(doc, points, false);
        if (best === null) {
            return isHeld(doc, paid);
        }
        if (best.calculation.redeemed_points !== points || best.calculation.redeemed_minor !== paid) {
            return false;
        }
        answer = hold(doc, points, null);
        if (isGood(answer) && answer.data.expires_in_ms < LEAST_LEFT_MS) {
            call("DELETE", "/v1/holds/" + encodeURIComponent(answer.data.hold), undefined, setting("saleMs", 5000), true);
            answer = hold(doc, points, null);
        }
        if (isGood(answer)) {
            return true;
        }
        if (answer.dead || answer.data.code === "proof_required") {
            return isHeld(doc, paid);
        }
        tellRefusal(answer, "noPoints");
        return false;
    }

    // Nobody answers now: what was reserved for exactly this is still ours until its time is over.
    function isHeld(doc, paid) {
        return get(doc, "tillsideHold") !== "" && whole(get(doc, "tillsideMoney")) === paid &&
            now() < whole(get(doc, "tillsideHeldUntil"));
    }

    // ---- The sale.

    function paymentsOf(doc) {
        var kinds = setting("payments", {});
        var byKind = {};
        var order = [];
        var out = [];
        var index;
        each(doc.payment, function (payment) {
            var kind = kinds[code(payment)] || "other";
            if (isPoints(payment) || isSet(read(payment, "storno", 0))) {
                return;
            }
            if (byKind[kind] === undefined) {
                byKind[kind] = 0;
                order.push(kind);
            }
            byKind[kind] += paymentAmount(payment);
        });
        for (index = 0; index < order.length; index += 1) {
            if (byKind[order[index]] > 0) {
                out.push({ kind: order[index], amount_minor: byKind[order[index]] });
            }
        }
        return out;
    }

    // The rows of the quote, by which Frontol took off: with its amounts where they differ. What it took beyond them is
    // a discount of its own, and lowers the line's price.
    function discountsOf(lines, rows) {
        var out = [];
        var index;
        var at;
        var line;
        var mine;
        var amounts;
        var parts;
        for (index = 0; index < lines.length; index += 1) {
            line = lines[index];
            mine = [];
            amounts = [];
            for (at = 0; at < rows.length; at += 1) {
                if (rows[at].line === line.number) {
                    mine.push(rows[at]);
                    amounts.push(rows[at].amount_minor);
                }
            }
            line.given = Math.min(line.given, sum(amounts));
            parts = spread(line.given, amounts);
            for (at = 0; at < mine.length; at += 1) {
                if (parts[at] > 0) {
                    out.push({ rule: mine[at].rule, line: line.number, amount_minor: parts[at] });
                }
            }
        }
        return out;
    }

    function cashierOf() {
        return String(read(read(frontol, "currentUser", {}), "code", "")).substring(0, 64);
    }

    function saleOf(doc) {
        var lines = receiptOf(doc);
        var paid = paidByPoints(doc);
        var member = memberOf(doc);
        var codes = codesOf(doc);
        var best = wantsDiscounts() ? quote(doc, whole(get(doc, "tillsidePoints")), false) : null;
        var discounts = discountsOf(lines, best ? best.calculation.discounts || [] : []);
        var body = {
            receipt: bodyOf(lines),
            payments: paymentsOf(doc),
            number: String(read(doc, "number", "")).substring(0, 64),
            shift: String(read(doc, "sessionNumber", "") || read(frontol, "sessionNumber", "")).substring(0, 64),
            cashier: cashierOf(),
            language: language(),
            print_slip: contains(["agent", "both"], setting("slip", "receipt"))
        };
        if (member) {
            body.member = member;
        }
        if (codes.length > 0) {
            body.codes = codes;
        }
        if (discounts.length > 0) {
            body.discounts = discounts;
        }
        if (paid > 0) {
            body.redeem_points = whole(get(doc, "tillsidePoints"));
            body.hold = get(doc, "tillsideHold");
        }
        return body;
    }

    // The same twice is the same once, so what had no answer is sent again at once; then it is for the report.
    function put(path, body) {
        var answer = call("PUT", path, body, setting("saleMs", 5000), true);
        if (answer.dead || answer.status >= 500 || answer.status === 429) {
            answer = call("PUT", path, body, setting("saleMs", 5000), true);
        }
        return answer;
    }

    function unknowns() {
        var text = "";
        try {
            text = String(frontol.userValues.get("tillsideUnknown") || "");
        } catch (failure) {
            note(failure);
        }
        return text ? text.split(",") : [];
    }

    function keepUnknowns(list) {
        try {
            frontol.userValues.set("tillsideUnknown", list.slice(-UNKNOWN_LIMIT).join(","));
        } catch (failure) {
            note(failure);
        }
    }

    function remember(uid, number) {
        var list = unknowns();
        list.push(uid + "=" + encodeURIComponent(String(number)));
        keepUnknowns(list);
    }

    // What became of sales that had no answer. One that the agent never got is told once: the report has it.
    function askUnknowns() {
        var list = unknowns();
        var lost = [];
        var answer;
        var parts;
        while (list.length > 0) {
            parts = list[0].split("=");
            answer = call("GET", "/v1/sales/" + parts[0], undefined, setting("answerMs", 2000), false);
            if (answer.dead || (answer.status !== 404 && !isGood(answer))) {
                break;
            }
            if (answer.status === 404) {
                lost.push(words("unsent", decodeURIComponent(parts[1] || parts[0])));
            }
            list.shift();
            keepUnknowns(list);
        }
        say(lost.join("\n"), true);
    }

    function sell(doc) {
        var uid = uidOf(doc);
        var number = read(doc, "number", "");
        var answer;
        if (get(doc, "tillsideSent") === "1") {
            return;
        }
        try {
            answer = put("/v1/sales/" + uid, saleOf(doc));
        } catch (failure) {
            note(failure);
            answer = { status: 0, data: null, dead: true };
        }
        if (isGood(answer)) {
            set(doc, "tillsideSent", "1");
            set(doc, "tillsideMessage", textOf(answer.data.messages));
            tell(warningsOf(answer.data.messages));
        } else if (answer.dead || answer.status >= 500 || answer.status === 429) {
            remember(uid, number);
            tellDead();
        } else {
            tellRefusal(answer);
        }
    }

    function textOf(messages) {
        var out = [];
        var index;
        for (index = 0; isArray(messages) && index < messages.length; index += 1) {
            out.push(messages[index].text);
        }
        return out.join("\n").substring(0, 250);
    }

    function warningsOf(messages) {
        var out = [];
        var index;
        for (index = 0; isArray(messages) && index < messages.length; index += 1) {
            if (messages[index].level !== "info") {
                out.push(messages[index]);
            }
        }
        return out;
    }

    // ---- The slip's lines, for the receipt's template.

    function keepSlip(doc) {
        var wanted = contains(["receipt", "both"], setting("slip", "receipt"));
        var best = wanted && memberOf(doc) ? quote(doc, whole(get(doc, "tillsidePoints")), true) : null;
        var text = best ? String(best.slip_preview || "").replace(/\s+$/, "") : "";
        var lines = text ? text.split("\n") : [];
        var index;
        for (index = 0; index < lines.length && index < SLIP_LIMIT; index += 1) {
            set(doc, "tillsideSlip" + (index + 1), lines[index]);
        }
        set(doc, "tillsideSlipLines", index);
    }

    // ---- Goods that come back.

    function baseUid(doc) {
        var base = read(doc, "baseDocument", null);
        var number = base === null ? "" : trimmed(read(base, "number", ""));
        var found;
        if (number === "" || number === "0") {
            return "";
        }
        found = get(base, "tillsideUid");
        if (!found) {
            found = documentUid(
                read(base, "codeWorkplace", null) || frontol.codeWorkplace,
                read(base, "sessionNumber", null) || frontol.sessionNumber,
                number
            );
        }
        return found;
    }

    // Lines of the sale by what the agent knows of it, or else by Frontol's base document: [{number, sku, left}].
    function soldLines(doc, uid) {
        var answer = call("GET", "/v1/sales/" + uid + "/lines", undefined, setting("answerMs", 2000), false);
        var out = [];
        var lines;
        var index;
        if (isGood(answer) && isArray(answer.data.lines)) {
            for (index = 0; index < answer.data.lines.length; index += 1) {
                lines = answer.data.lines[index];
                out.push({ number: lines.number, sku: String(lines.code), left: lines.left_thousandths });
            }
            return out;
        }
        lines = linesOf(doc.baseDocument);
        for (index = 0; index < lines.length; index += 1) {
            out.push({ number: lines[index].number, sku: lines[index].sku, left: lines[index].quantity });
        }
        return out;
    }

    // Which sold lines come back, and how much of each; null when the goods can't be told apart from the sale's.
    function returnedLines(doc, uid) {
        var sold = soldLines(doc, uid);
        var back = linesOf(doc);
        var out = [];
        var index;
        var at;
        var left;
        var part;
        for (index = 0; index < back.length; index += 1) {
            left = back[index].quantity;
            for (at = 0; at < sold.length && left > 0; at += 1) {
                if (sold[at].sku === back[index].sku && sold[at].left > 0) {
                    part = Math.min(left, sold[at].left);
                    sold[at].left -= part;
                    left -= part;
                    out.push({ number: sold[at].number, quantity_thousandths: part });
                }
            }
            if (left > 0) {
                return null;
            }
        }
        return joined(out);
    }

    function joined(parts) {
        var out = [];
        var seen = {};
        var index;
        for (index = 0; index < parts.length; index += 1) {
            if (seen[parts[index].number] === undefined) {
                seen[parts[index].number] = out.length;
                out.push(parts[index]);
            } else {
                out[seen[parts[index].number]].quantity_thousandths += parts[index].quantity_thousandths;
            }
        }
        return out;
    }

    function takeBack(doc) {
        var uid = uidOf(doc);
        var sale = baseUid(doc);
        var number = String(read(doc, "number", "")).substring(0, 64);
        var answer;
        var lines;
        if (sale === "" || get(doc, "tillsideSent") === "1") {
            return;
        }
        lines = returnedLines(doc, sale);
        if (lines === null || lines.length === 0) {
            say(words("unsent", number), true);
            return;
        }
        answer = put("/v1/returns/" + uid + inWords(), { sale_uid: sale, lines: lines, number: number, cashier: cashierOf() });
        if (isGood(answer)) {
            set(doc, "tillsideSent", "1");
            tell(answer.data.messages);
        } else if (answer.dead) {
            say(words("unsent", number), true);
        } else {
            tellRefusal(answer);
        }
    }

    // ---- Events. What a handler gives back is "go on" unless it is STOP.

    var handlers = {
        openSession: function () {
            pointsExponent = -1;
            askUnknowns();
            if (!isGood(call("GET", "/livez", undefined, setting("answerMs", 2000), true))) {
                tellDead();
            }
        },

        openDocument: function () {
            memory = forgotten();
            gone = null;
            askUnknowns();
        },

        addCard: function (card) {
            var doc = document();
            var value = trimmed(read(card || doc.card, "value", ""));
            if (!isSale(doc) || value === "" || !isOurs(card || doc.card)) {
                return;
            }
            changeMember(doc, { card: value });
        },

        changeLines: function () {
            var doc = document();
            if (!own && isSale(doc)) {
                refresh(doc);
            }
        },

        addPaymentBefore: function (payment) {
            var doc = document();
            var before;
            var wish;
            var found;
            if (own || !isPoints(payment) || (code(doc) !== "" && !isSale(doc))) {
                return undefined;
            }
            if (!isSale(doc) || memberOf(doc) === null) {
                say(words("noMember"), true);
                return STOP;
            }
            before = paidByPoints(doc);
            wish = paymentAmount(payment);
            found = reserve(doc, before + wish);
            if (found === null || found.amount <= before) {
                return STOP;
            }
            if (found.amount === before + wish) {
                return undefined;
            }
            say(words("paysLess", shown(found.amount - before)), false);
            addPayment(doc, found.amount - before);
            return STOP;
        },

        changePayments: function () {
            var doc = document();
            if (isSale(doc) && isPaymentMode() && !settlePoints(doc)) {
                say(words("lost"), true);
            }
        },

        closeDocumentBefore: function () {
            var doc = document();
            if (isReturn(doc)) {
                uidOf(doc);
                set(doc, "tillsideBase", baseUid(doc));
            }
            if (!isSale(doc)) {
                return undefined;
            }
            uidOf(doc);
            if (!isCovered(doc)) {
                say(words("lost"), true);
                return STOP;
            }
            keepSlip(doc);
            return undefined;
        },

        closeDocument: function () {
            var doc = document();
            if (isSale(doc)) {
                sell(doc);
            } else if (isReturn(doc)) {
                takeBack(doc);
            }
            memory = forgotten();
        },

        // Afterwards there may be no document any more.
        cancelDocumentBefore: function () {
            var doc = document();
            gone = null;
            if (isSale(doc)) {
                gone = { hold: get(doc, "tillsideHold"), uid: get(doc, "tillsideUid"), sent: get(doc, "tillsideSent") };
            }
        },

        cancelDocument: function () {
            var waitMs = setting("saleMs", 5000);
            var answer;
            if (gone === null && document() !== null) {
                handlers.cancelDocumentBefore();
            }
            memory = forgotten();
            if (gone !== null && gone.sent === "1") {
                answer = call("POST", "/v1/sales/" + gone.uid + "/void" + inWords(), undefined, waitMs, true);
                if (!isGood(answer) && !answer.dead) {
                    tellRefusal(answer);
                }
            } else if (gone !== null && gone.hold) {
                call("DELETE", "/v1/holds/" + encodeURIComponent(gone.hold), undefined, waitMs, true);
            }
            gone = null;
        }
    };

    function stop() {
        frontol.actions.cancel();
    }

    // Runs a handler; whatever fails in it, the sale goes on. Only a payment by points that nobody has agreed to does not.
    function run(name, subject) {
        var outcome;
        try {
            outcome = handlers[name](subject);
        } catch (failure) {
            note(failure);
            outcome = name === "addPaymentBefore" && isPointsForSure(subject) ? STOP : undefined;
        }
        own = false;
        if (outcome === STOP) {
            stop();
        }
    }

    function isPointsForSure(payment) {
        try {
            return isPoints(payment);
        } catch (failure) {
            return false;
        }
    }

    // ---- Keys of the cashier.

    var keys = {
        phone: function (doc) {
            var phone = ask(words("askPhone"), "");
            if (phone) {
                changeMember(doc, { phone: phone });
            }
        },

        coupon: function (doc) {
            var coupon = ask(words("askCoupon"), "");
            var codes = codesOf(doc);
            var member;
            var answer;
            if (!coupon || contains(codes, coupon)) {
                return;
            }
            member = memberOf(doc);
            answer = call("GET", "/v1/coupons/" + encodeURIComponent(coupon) +
                (member ? "?reference=" + encodeURIComponent(member.reference) : ""),
                undefined, setting("answerMs", 2000), false);
            if (!isGood(answer)) {
                tellRefusal(answer);
                return;
            }
            tell(answer.data.messages);
            if (answer.data.usable) {
                set(doc, "tillsideCodes", (codes.length ? get(doc, "tillsideCodes") + "," : "") + encodeURIComponent(coupon));
                refresh(doc);
            }
        },

        redeem: function (doc) {
            var best;
            var text;
            var wish;
            var found;
            if (memberOf(doc) === null) {
                say(words("noMember"), true);
                return;
            }
            best = quote(doc, -1, false);
            if (best === null) {
                tellNoQuote();
                return;
            }
            if (!(isPaymentMode() || isDiscountMode()) || !best.redeemable || !(best.redeemable.amount_minor > 0)) {
                tell(best.messages);
                say(words("paysNothing"), true);
                return;
            }
            text = shown(best.redeemable.amount_minor);
            text = ask(words("askMoney", text), text);
            wish = text === "" || isNegative(text) ? null : minor(text);
            if (wish === null || wish === 0) {
                say(text === "" ? "" : words("notMoney"), true);
                return;
            }
            found = reserve(doc, wish);
            if (found !== null) {
                applyPoints(doc, found, wish);
            }
        },

        forget: function (doc) {
            release(doc);
            set(doc, "tillsideWho", "-");
            set(doc, "tillsideCodes", "");
            set(doc, "tillsideDiscounts", "");
            showMember(doc, {});
            memory = forgotten();
            recalculate(doc);
            say(words("forgot"), false);
        }
    };

    function applyPoints(doc, found, wish) {
        if (found.amount < wish) {
            say(words("paysLess", shown(found.amount)), false);
        }
        if (isPaymentMode()) {
            addPayment(doc, found.amount);
        } else {
            recalculate(doc);
        }
        if (!settlePoints(doc)) {
            say(words("lost"), true);
        }
    }

    function press(name) {
        var doc;
        try {
            doc = document();
            if (!isSale(doc)) {
                say(words("noDocument"), true);
                return;
            }
            keys[name](doc);
        } catch (failure) {
            note(failure);
        }
        own = false;
    }

    // ---- Discounts, as Frontol's marketing events ask for them: money, and nothing when anything is wrong.

    function discount(kind, position) {
        var found = 0;
        var doc;
        var all;
        var name;
        try {
            doc = document();
            if (!isSale(doc)) {
                return 0;
            }
            if (kind === "points") {
                return isDiscountMode() ? money(whole(get(doc, "tillsideMoney"))) : 0;
            }
            all = discountsByNumber(doc);
            if (kind === "position") {
                position = position || doc.position;
                return money(all[String(read(position, "number", 0) || read(position, "index", 0))] || 0);
            }
            for (name in all) {
                if (Object.prototype.hasOwnProperty.call(all, name)) {
                    found += all[name];
                }
            }
        } catch (failure) {
            note(failure);
            found = 0;
        }
        return money(found);
    }

    return {
        version: VERSION,
        run: run,
        press: press,
        discount: discount,
        note: note,
        // For the tests that hold these to the agent's own.
        parts: {
            minor: minor,
            exact: exact,
            spread: spread,
            written: written,
            parsed: parsed,
            normalUid: normalUid,
            documentUid: documentUid,
            pointsFor: pointsFor,
            moneyFor: moneyFor,
            shown: shown,
            words: WORDS
        }
    };
}());

// ---- What Frontol calls by name.

function tillsideInit() {
    var events = [
        ["openSession", "tillsideOpenSession", false],
        ["openDocument", "tillsideOpenDocument", false],
        ["addCard", "tillsideAddCard", false],
        ["addPosition", "tillsideChangeLines", false],
        ["changePosition", "tillsideChangeLines", false],
        ["addPayment", "tillsideBeforeAddPayment", true],
        ["addPayment", "tillsideChangePayments", false],
        ["stornoPayment", "tillsideChangePayments", false],
        ["closeDocument", "tillsideBeforeCloseDocument", true],
        ["closeDocument", "tillsideCloseDocument", false],
        ["cancelDocument", "tillsideBeforeCancelDocument", true],
        ["cancelDocument", "tillsideCancelDocument", false]
    ];
    var index;
    for (index = 0; index < events.length; index += 1) {
        try {
            frontol.addEventListener(events[index][0], events[index][1], events[index][2]);
        } catch (failure) {
            tillside.note(failure);
        }
    }
}

// <init> If your own scenario has an init(), let it call tillsideInit() and install this file with --without-init.
function init() {
    tillsideInit();
}
// </init>

function tillsideOpenSession() {
    tillside.run("openSession");
}

function tillsideOpenDocument() {
    tillside.run("openDocument");
}

function tillsideAddCard(card) {
    tillside.run("addCard", card);
}

function tillsideChangeLines(position) {
    tillside.run("changeLines", position);
}

function tillsideBeforeAddPayment(payment) {
    tillside.run("addPaymentBefore", payment);
}

function tillsideChangePayments(payment) {
    tillside.run("changePayments", payment);
}

function tillsideBeforeCloseDocument() {
    tillside.run("closeDocumentBefore");
}

function tillsideCloseDocument() {
    tillside.run("closeDocument");
}

function tillsideBeforeCancelDocument() {
    tillside.run("cancelDocumentBefore");
}

function tillsideCancelDocument() {
    tillside.run("cancelDocument");
}

// Keys of the cashier: put these names on buttons ("function of the scenario").

function tillsidePhone() {
    tillside.press("phone");
}

function tillsideRedeem() {
    tillside.press("redeem");
}

function tillsideCoupon() {
    tillside.press("coupon");
}

function tillsideForget() {
    tillside.press("forget");
}

// Discounts of marketing events whose size a scenario works out.

function tillsidePositionDiscount(position) {
    return tillside.discount("position", position);
}

function tillsideDiscount() {
    return tillside.discount("document");
}

function tillsidePointsDiscount() {
    return tillside.discount("points");
}

// <template> For the receipt's template: `tillsidePrintSlip(print);` in printFooter. These need nothing of the above.

function tillsideSlipLine(print, text) {
    try {
        print.printString(text);
    } catch (failure) {
        try {
            print.printStringWordWrap(text);
        } catch (again) {
            return false;
        }
    }
    return true;
}

function tillsidePrintSlip(print) {
    var values;
    var count;
    var index;
    var text;
    try {
        values = frontol.currentDocument.userValues;
        count = Number(values.get("tillsideSlipLines"));
        for (index = 1; index <= count && index <= 60; index += 1) {
            text = values.get("tillsideSlip" + index);
            tillsideSlipLine(print, text === null || text === undefined ? "" : String(text));
        }
    } catch (failure) {
        return false;
    }
    return true;
}
// </template>
