"""The exchange behind the endpoints: rules, orders, matching, accounts."""
