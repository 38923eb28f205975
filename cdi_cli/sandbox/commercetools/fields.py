"""What the simulator knows about field names: which exist on a resource, which are instants, which are enums.

A predicate or sort on a field that the resource does not have is refused, as the real API does; this is what catches a
misspelt query. Names follow the API reference (RAML types of August 2026).
"""

from __future__ import annotations

_BASE = "id version createdAt lastModifiedAt createdBy lastModifiedBy key custom"
_ORDER_LIKE = (
    f"{_BASE} purchaseOrderNumber customerId customerEmail customerGroup anonymousId businessUnit store lineItems "
    "customLineItems totalPrice taxedPrice taxedShippingPrice discountOnTotalPrice priceRoundingMode taxMode "
    "taxRoundingMode taxCalculationMode inventoryMode billingAddress shippingAddress shippingMode shippingKey "
    "shippingInfo shippingRateInput shippingCustomFields shipping itemShippingAddresses discountCodes directDiscounts "
    "refusedGifts paymentInfo country locale origin discountTypeCombination recurringOrder"
)
_PRODUCT = f"{_BASE} productType taxCategory priceMode state reviewRatingStatistics"

FIELDS: dict[str, frozenset[str]] = {
    "orders": frozenset(
        f"{_ORDER_LIKE} orderNumber cart quote orderState shipmentState paymentState state syncInfo returnInfo "
        "completedAt".split()
    ),
    "carts": frozenset(
        f"{_ORDER_LIKE} cartState totalLineItemQuantity deleteDaysAfterLastModification purchaseOrderNumber".split()
    ),
    "customers": frozenset(
        f"{_BASE} customerNumber externalId email lowercaseEmail firstName lastName middleName title salutation "
        "dateOfBirth companyName vatId addresses defaultShippingAddressId defaultBillingAddressId shippingAddressIds "
        "billingAddressIds isEmailVerified customerGroup customerGroupAssignments locale stores "
        "authenticationMode".split()
    ),
    "payments": frozenset(
        f"{_BASE} interfaceId amountPlanned transactions paymentMethodInfo paymentStatus customer anonymousId "
        "interfaceInteractions".split()
    ),
    "products": frozenset(f"{_PRODUCT} masterData".split()),
    "product-projections": frozenset(
        f"{_PRODUCT} name description slug categories categoryOrderHints metaTitle metaDescription metaKeywords "
        "searchKeywords hasStagedChanges published masterVariant variants attributes".split()
    ),
    "messages": frozenset(f"{_BASE} sequenceNumber resource resourceVersion type resourceUserProvidedIdentifiers".split()),
    "categories": frozenset(
        f"{_BASE} name slug description ancestors parent orderHint externalId metaTitle metaDescription "
        "metaKeywords assets".split()
    ),
    "inventory": frozenset(
        f"{_BASE} sku supplyChannel quantityOnStock availableQuantity restockableInDays expectedDelivery".split()
    ),
    "standalone-prices": frozenset(
        f"{_BASE} sku value country customerGroup channel validFrom validUntil tiers discounted active".split()
    ),
    "discount-codes": frozenset(
        f"{_BASE} name description code cartDiscounts cartPredicate isActive references maxApplications "
        "maxApplicationsPerCustomer groups validFrom validUntil".split()
    ),
    "customer-groups": frozenset(f"{_BASE} name".split()),
    "stores": frozenset(f"{_BASE} name languages countries distributionChannels supplyChannels productSelections".split()),
}

DATETIMES = frozenset({
    "createdAt", "lastModifiedAt", "completedAt", "timestamp", "returnDate", "addedAt", "validFrom", "validUntil",
    "expectedDelivery",
})  # fmt: skip
"""Fields that are compared as instants, wherever they occur."""

ENUMS: dict[str, tuple[str, frozenset[str]]] = {
    "orderState": ("OrderState", frozenset({"Open", "Confirmed", "Complete", "Cancelled"})),
    "paymentState": ("PaymentState", frozenset({"BalanceDue", "Failed", "Pending", "CreditOwed", "Paid"})),
    "cartState": ("CartState", frozenset({"Active", "Merged", "Ordered", "Frozen"})),
}
"""Top-level enum fields whose literals are checked: name of the enum and its values."""
