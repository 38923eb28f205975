"""The Magento 2 (Adobe Commerce) simulator: its REST API with its traps, over a shop of any size."""
